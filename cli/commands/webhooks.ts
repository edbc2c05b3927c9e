import { type Command, Option } from "commander";
import { lazy } from "../shared/lazy.ts";

const id: [string, string] = ["<id>", "id of the webhook"];

/** Events that are sent to the partner's URLs. */
export function addWebhookCommands(program: Command): void {
  const webhooks = program.command("webhooks").description("send the events of tasks and workspaces to URLs");
  webhooks
    .command("ls", { isDefault: true })
    .alias("list")
    .description("list your webhooks")
    .action(lazy(async () => (await import("../webhooks/webhooks.ts")).listWebhooks));
  webhooks
    .command("create")
    .description("create a webhook; its secret is shown only once")
    .argument("<url>", "where events are sent")
    .option("--event <type...>", "types of events (default: all)")
    .option("--description <text>", "what it is for")
    .action(lazy(async () => (await import("../webhooks/webhooks.ts")).createWebhook));
  webhooks
    .command("rotate")
    .description("replace a webhook's secret by a new one, which is shown only once")
    .argument(...id)
    .option("--overlap <duration>", "how long requests are also signed with the replaced secret", "1d")
    .action(lazy(async () => (await import("../webhooks/webhooks.ts")).rotateWebhook));
  for (const [name, says] of [
    ["disable", "send nothing any more"],
    ["enable", "send events again"],
    ["test", "send an event to test a webhook"],
  ] as const) {
    webhooks
      .command(name)
      .description(says)
      .argument(...id)
      .action(lazy(async () => (await import("../webhooks/webhooks.ts"))[`${name}Webhook`]));
  }
  webhooks
    .command("rm")
    .description("delete webhooks with their deliveries")
    .argument("<id...>", "ids of the webhooks")
    .action(lazy(async () => (await import("../webhooks/webhooks.ts")).deleteWebhooks));
  addDeliveryCommands(webhooks);
}

function addDeliveryCommands(webhooks: Command): void {
  webhooks
    .command("deliveries")
    .description("list what was sent to a webhook, newest first")
    .argument(...id)
    .addOption(
      new Option("--status <status>", "of this status only").choices(["pending", "delivered", "failed"]),
    )
    .option("--limit <count>", "maximum number of deliveries", "20")
    .action(lazy(async () => (await import("../webhooks/deliveries.ts")).listDeliveries));
  webhooks
    .command("replay")
    .description("send an event again, or all since a time")
    .argument(...id)
    .argument("[event]", "id of the event")
    .option("--since <time>", "all events since this time, or this long ago, such as 2h")
    .action(lazy(async () => (await import("../webhooks/deliveries.ts")).replayEvents));
  webhooks
    .command("listen")
    .description("print events as they happen, and forward them, signed, to a program on this machine")
    .option("--forward-to <url>", "URL or port of the program, such as 3000/hook")
    .option("--event <type...>", "types of events (default: all)")
    .option("--secret <secret>", "secret of the signatures (default: a new one)")
    .action(lazy(async () => (await import("../webhooks/listen.ts")).listen));
}
