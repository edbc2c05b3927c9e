import { createProgram } from "@ngpu/cli/program";
import { exitCodes } from "@ngpu/cli/shared/exitCodes";
import type { Argument, Command, Option } from "commander";
import { code, item, pageHead, plain, wrapped } from "../markdown.ts";
import type { Page } from "./page.ts";

const HEAD = `Every command of \`ngpu\`, as \`ngpu <command> --help\` prints it. [The command line](../cli.md) explains how to use them.
Global options come before or after a command.`;

/** Built from the command tree of the command line. */
export function commandsPage(): Page {
  const program = createProgram();
  const text = [
    pageHead("Commands", HEAD),
    section("Global options", program.options.map(optionItem)),
    section(
      "Exit codes",
      Object.values(exitCodes).map(({ code: number, says }) =>
        item(`${code(String(number))}: ${plain(says)}`),
      ),
    ),
    ...leavesOf(program).map(commandSection),
  ].join("");
  return { text, problems: [] };
}

const section = (title: string, items: readonly string[]) => `\n## ${title}\n\n${items.join("\n")}\n`;

/** The commands that do something, in the order of the help, with their full names. */
function leavesOf(
  command: Command,
  path: readonly string[] = [],
): { path: readonly string[]; command: Command }[] {
  const shown = command.commands.filter((each) => !each.name().startsWith("__"));
  if (shown.length === 0) return [{ path, command }];
  return shown.flatMap((each) => leavesOf(each, [...path, each.name()]));
}

function commandSection({ path, command }: { path: readonly string[]; command: Command }): string {
  const usage = [...path, ...command.registeredArguments.map(argumentText)].join(" ");
  const says = command.description();
  const items = [
    ...command.registeredArguments.map((each) =>
      item(`${code(argumentText(each))}: ${plain(each.description)}`),
    ),
    ...command.options.map(optionItem),
  ];
  const list = items.length === 0 ? "" : `\n${items.join("\n")}\n`;
  return `\n## ${path.join(" ")}\n\n${wrapped(`${code(`ngpu ${usage}`)}: ${plain(says)}.`)}\n${list}`;
}

function argumentText(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionItem(option: Option): string {
  const value = option.defaultValue as unknown;
  const facts = [
    ...(option.envVar === undefined ? [] : [`environment: ${code(option.envVar)}`]),
    ...(value === undefined || typeof value === "boolean" ? [] : [`default: ${code(String(value))}`]),
  ];
  const more = facts.length === 0 ? "" : ` (${facts.join("; ")})`;
  return item(`${code(option.flags)}: ${plain(option.description)}${more}`);
}
