import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { addScalingOptions } from "./options.ts";

const idText = "id or name of the workspace";

/** Change workspaces. */
export function addUpdateCommands(program: Command): void {
  addScalingOptions(
    program
      .command("scale")
      .description("change the number of replicas, or let it follow the requests")
      .argument("<workspace>", idText)
      .argument("<replicas>", "a number, or a range as 0..4"),
  ).action(lazy(async () => (await import("../workspaces/update.ts")).scaleWorkspace));
  addUpdate(program.command("update"));
  for (const [name, says] of [
    ["stop", "stop all replicas; each keeps its node"],
    ["start", "start stopped workspaces"],
    ["rm", "close workspaces and delete their replicas"],
  ] as const) {
    program
      .command(name)
      .description(says)
      .argument("<workspace...>", "ids or names of workspaces")
      .action(lazy(async () => (await import("../workspaces/orders.ts")).orders[name]));
  }
  addLongForms(program);
}

function addUpdate(command: Command): void {
  command
    .description("change image, configuration or replicas with a rolling update")
    .argument("<workspace>", idText)
    .option("--image <reference>", "reference@sha256:…")
    .option("--replicas <count>", "number of replicas, or a range as 0..4")
    .option(
      "--max-down <count>",
      "maximum number of replicas that are down at the same time during the update",
    )
    .option("--max-price <price>", "maximum price: NGPU an hour as 0.5/h, or token units per second")
    .option("--env <NAME=value...>", "public environment variables; replaces all current ones")
    .option(
      "--secret <name...>",
      "secrets that are variables of its environment, instead of the earlier ones",
    )
    .option("--secret-file <name...>", "secrets that are files in /run/secrets, instead of the earlier ones")
    .option("--renew-secrets", "replace the replicas, so that they get the present values of their secrets")
    .option("--health <path>", "path that returns 2xx when the container is ready")
    .action(lazy(async () => (await import("../workspaces/update.ts")).updateWorkspace));
}

/** `workspace show`, `workspace events` and `workspace update`: the same commands in their long form. */
function addLongForms(program: Command): void {
  const workspace = program
    .command("workspace")
    .description("long form of describe (show), events and update");
  workspace
    .command("show")
    .description("show a workspace and why its replicas do not run")
    .argument("<workspace>", idText)
    .action(lazy(async () => (await import("../workspaces/describe.ts")).describeWorkspace));
  workspace
    .command("events")
    .description("show the history of a workspace, oldest first")
    .argument("<workspace>", idText)
    .action(lazy(async () => (await import("../workspaces/events.ts")).showEvents));
  addUpdate(workspace.command("update"));
}
