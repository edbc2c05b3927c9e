import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { timeoutOption } from "./options.ts";

const idText = "id or name of the workspace";

/** Publishes and shows workspaces. */
export function addWorkspaceCommands(program: Command): void {
  program
    .command("push")
    .description("push an image of the local Docker engine to the market's registry; prints its reference")
    .argument("<image>", "name of the local image, such as model:v2")
    .option("--name <name>", "its name in the registry (default: the local one)")
    .action(lazy(async () => (await import("../images/push.ts")).push));
  addDeploy(program);
  program
    .command("templates")
    .description("list the market's templates: ngpu deploy --template <name>")
    .action(lazy(async () => (await import("../workspaces/templates.ts")).listTemplates));
  program
    .command("ps")
    .description("list workspaces")
    .option("-a, --all", "list closed and expired ones, too", false)
    .action(lazy(async () => (await import("../workspaces/list.ts")).listWorkspaces));
  program
    .command("describe")
    .description("show a workspace, its replicas, and why they do not run")
    .argument("<workspace>", idText)
    .action(lazy(async () => (await import("../workspaces/describe.ts")).describeWorkspace));
  program
    .command("events")
    .description("show the history of a workspace, oldest first")
    .argument("<workspace>", idText)
    .option("-f, --follow", "wait for further events", false)
    .option("--after <cursor>", "show events after this one (`cursor` of --json)")
    .action(lazy(async () => (await import("../workspaces/events.ts")).showEvents));
  program
    .command("top")
    .description("show what the replicas of a workspace use: CPU, memory, disk, network, GPUs")
    .argument("<workspace>", idText)
    .action(lazy(async () => (await import("../workspaces/top.ts")).showUse));
  addLogs(program);
  addExec(program);
  program
    .command("cp")
    .description("copy a file or folder to or from a container; the image needs tar")
    .argument("<source>", "path, or <workspace>:<path> in a container")
    .argument("<target>", "path, or <workspace>:<path>; one that ends with / is a folder")
    .option("--replica <number>", "of this replica, from 0", wholeNumber(0), 0)
    .action(lazy(async () => (await import("../workspaces/copy.ts")).copy));
}

function addExec(program: Command): void {
  program
    .command("exec")
    .description("run a command in a container of a workspace; its exit code is that of this program")
    .argument("<workspace>", idText)
    .argument("<command...>", "after --: the program and its arguments")
    .option("-i, --interactive", "pass stdin on", false)
    .option("-t, --tty", "with a terminal", false)
    .option("--replica <number>", "in this replica, from 0", wholeNumber(0), 0)
    .action(lazy(async () => (await import("../workspaces/exec.ts")).runCommand));
}

function addLogs(program: Command): void {
  program
    .command("logs")
    .description("print what the containers of a workspace write")
    .argument("<workspace>", idText)
    .option("-f, --follow", "wait for further lines", false)
    .option("--replica <number>", "only this replica, from 0 (default: all)", wholeNumber(0))
    .option("--since <time>", "only lines of the last 30s, 10m, 2h or 7d, or since an ISO 8601 time")
    .option("--stream <name>", "only stdout or stderr")
    .option("--cursor <cursor>", "continue after this line (`cursor` of --json); needs --replica")
    .option("--timestamps", "print the time of each line", false)
    .action(lazy(async () => (await import("../workspaces/logs.ts")).showLogs));
}

function addDeploy(program: Command): void {
  program
    .command("deploy")
    .description("publish a workspace and wait until it runs")
    .argument(
      "[file]",
      "YAML or JSON with the fields of POST /v1/workspaces (default: ngpu.yaml, if it exists)",
    )
    .option("--template <name>", "fields of this template where neither the file nor an option sets them")
    .option("--dry-run", "show where it would run and what it would cost; publish nothing", false)
    .option("-d, --detach", "do not wait until it runs", false)
    .option("--new", "publish it even if a workspace of this name is open", false)
    .addOption(timeoutOption("how long to wait until it runs", "15m"))
    .option("--name <name>", "name; chats accept it as the model")
    .option("--image <reference>", "reference@sha256:…")
    .option("--port <port...>", "ports of the container; the first one serves tasks (default: 8080)")
    .option("--command <words...>", "command and arguments instead of the image's own")
    .option("--env <NAME=value...>", "public environment variables; they are stored on the chain")
    .option("--secret <name...>", "secrets that are variables of its environment (ngpu secrets set)")
    .option("--secret-file <name...>", "secrets that are files in /run/secrets")
    .option("--health <path>", "path that returns 2xx when the container is ready")
    .option("--replicas <count>", "number of replicas, or a range as 0..4")
    .option("--gpus <count>", "GPUs of one replica", wholeNumber(1))
    .option("--gpu-model <name>", "model name, such as RTX 4090")
    .option("--vram-gib <gib>", "minimum memory of one GPU by the size it is sold with, GB")
    .option("--cpu <cores>", "CPU cores of one replica (default: 1)")
    .option("--memory-mib <mib>", "memory of one replica (default: 1024)")
    .option("--disk-gib <gib>", "disk of one replica (default: 1)")
    .option("--region <code>", "two uppercase letters, ISO 3166-1")
    .option(
      "--max-price <price>",
      "maximum price of one replica: NGPU an hour as 0.5/h, or token units per second",
    )
    .option("--policy <name>", "available or exclusive")
    .option("--strategy <name>", "order of the nodes that fit; ngpu explain --help lists them")
    .option("--expires <time>", "ISO 8601 time at which it closes")
    .option("--wait-for-nodes", "publish it even if no node can run it now")
    .action(lazy(async () => (await import("../workspaces/deploy.ts")).deploy));
}
