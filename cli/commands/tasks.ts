import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { timeoutOption } from "./options.ts";

/** Use workspaces. */
export function addTaskCommands(program: Command): void {
  program
    .command("run")
    .description("run a task on a workspace and print its result")
    .argument("<workspace>", "id or name of the workspace")
    .argument("[input]", "JSON body for the container; @file reads a file, - reads stdin")
    .option("--path <path>", "path in the container", "/")
    .option("--method <method>", "HTTP method; GET without an input (default: POST)")
    .option("--async", "print the task's id and do not wait", false)
    .option("--stream", "print the events of an OpenAI-compatible path as they arrive", false)
    .option("-o, --output <file>", "write the result's bytes to a file")
    .option("--wait-for-capacity <duration>", "wait for a replica for at most this long, such as 10m")
    .option("--timeout-seconds <seconds>", "longest time without a byte from the container")
    .action(lazy(async () => (await import("../tasks/run.ts")).runTask));
  program
    .command("tasks")
    .description("list your tasks, newest first")
    .option("--workspace <workspace>", "of this workspace only")
    .option("--limit <count>", "maximum number of tasks", "20")
    .action(lazy(async () => (await import("../tasks/show.ts")).listTasks));
  program
    .command("task")
    .description("show a task and its result")
    .argument("<id>", "task id")
    .option("--wait", "wait until it has ended", false)
    .addOption(timeoutOption("how long to wait", "1h"))
    .option("-o, --output <file>", "write the result's bytes to a file")
    .action(lazy(async () => (await import("../tasks/show.ts")).showTask));
  program
    .command("cancel")
    .description("cancel a task; the request in its container is closed")
    .argument("<id>", "task id")
    .action(lazy(async () => (await import("../tasks/cancel.ts")).cancelTask));
  program
    .command("chat")
    .description("chat with a workspace; answers appear as they are generated")
    .argument("<workspace>", "id or name of the workspace, or <workspace>/<model>")
    .argument("[message]", "one message, - reads stdin; without it the chat is interactive")
    .option("--system <text>", "system message")
    .option("--max-tokens <count>", "maximum length of an answer")
    .option("--temperature <number>", "randomness of the answers")
    .action(lazy(async () => (await import("../tasks/chat.ts")).chat));
}
