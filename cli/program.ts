import { version } from "@ngpu/runtime/version";
import { Command, Option } from "commander";
import { addAccountCommands } from "./commands/account.ts";
import { addFileCommands } from "./commands/files.ts";
import { addMarketCommands } from "./commands/market.ts";
import { addMoneyCommands } from "./commands/money.ts";
import { addNodeCommands } from "./commands/nodes.ts";
import { addSetupCommands } from "./commands/setup.ts";
import { addTaskCommands } from "./commands/tasks.ts";
import { addUpdateCommands } from "./commands/updates.ts";
import { addWebhookCommands } from "./commands/webhooks.ts";
import { addWorkspaceCommands } from "./commands/workspaces.ts";
import { exitCodes } from "./shared/exitCodes.ts";

/** Every command. What a command does is loaded when it runs, so that the program starts at once. */
export function createProgram(): Command {
  const program = new Command("ngpu")
    .description("GPU marketplace whose records anyone can verify")
    .version(version)
    .addOption(new Option("--api <url>", "URL of the market's API").env("NGPU_API"))
    .addOption(new Option("--key <key>", "API key").env("NGPU_API_KEY"))
    .addOption(new Option("--profile <name>", "profile of ngpu login to use").env("NGPU_PROFILE"))
    .option("--json", "print JSON: one object, or one line for each entry of a stream", false)
    .showHelpAfterError()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", `\nExit codes:\n${exitCodeText()}`);
  program.commandsGroup("Set-up:");
  addAccountCommands(program);
  addSetupCommands(program);
  program.commandsGroup("Workspaces:");
  addWorkspaceCommands(program);
  addUpdateCommands(program);
  program.commandsGroup("Tasks:");
  addTaskCommands(program);
  addFileCommands(program);
  addWebhookCommands(program);
  program.commandsGroup("Money:");
  addMoneyCommands(program);
  program.commandsGroup("Market:");
  addMarketCommands(program);
  program.commandsGroup("Nodes:");
  addNodeCommands(program);
  return program;
}

function exitCodeText(): string {
  return Object.values(exitCodes)
    .map(({ code, says }) => `  ${String(code).padEnd(5)}${says}`)
    .join("\n");
}
