import { loadDefinitions } from "@ngpu/auto-export/definitions";
import type { EventTable } from "@ngpu/auto-export/schema";
import { abis } from "@ngpu/contracts-sdk/abis";
import type { AbiParameter } from "viem";
import { code, codes, compare, item, pageHead, plain, sections } from "../markdown.ts";
import type { Page } from "./page.ts";

const HEAD = `Every event of the contracts, with its parameters, its table and the projections that use it. [Tables](tables.md)
lists the other columns of an event table. The contract's errors are at the end of each section.`;

/** Built from the compiled contracts and from the projections as autoExport reads them. */
export function chainEventsPage(): Page {
  const { tables, projections } = loadDefinitions();
  const followers = (event: string) =>
    projections.filter(({ changes }) => changes.some((each) => each.event === event)).map(({ name }) => name);
  const render = (group: EventTable[]) =>
    group
      .toSorted((a, b) => compare(a.event, b.event))
      .map((table) => eventItem(table, followers(table.event)))
      .join("\n") + errorsOf(group[0]?.contract);
  return {
    text: pageHead("Chain events", HEAD) + sections(tables, ({ contract }) => contract, render),
    problems: [],
  };
}

function eventItem({ event, table, abi }: EventTable, followers: readonly string[]): string {
  const takenBy = followers.length === 0 ? "" : ` Followed by ${codes(followers)}.`;
  const parameters = abi.inputs.map(parameterText).join(", ");
  const given = parameters === "" ? "no parameters" : parameters;
  return item(`${code(event)}: ${given}. Kept in ${code(`chain.${table}`)}.${takenBy}`);
}

function parameterText(parameter: AbiParameter & { indexed?: boolean | undefined }): string {
  const isStruct = "components" in parameter;
  const fields = isStruct ? ` (${parameter.components.map(parameterText).join(", ")})` : "";
  const type = isStruct ? parameter.type.replace("tuple", "struct") : parameter.type;
  const shown = plain(`${type}${parameter.indexed === true ? " indexed" : ""}`);
  return `${code(parameter.name ?? "")} ${shown}${fields}`;
}

function errorsOf(contract: string | undefined): string {
  const abi = Object.entries(abis).find(([name]) => name === contract)?.[1] ?? [];
  const errors = abi.filter((each) => each.type === "error");
  const lines = errors
    .toSorted((a, b) => compare(a.name, b.name))
    .map(({ name, inputs }) => code(`${name}(${inputs.map((each) => each.name).join(", ")})`));
  return lines.length === 0 ? "" : `\n\nRefuses with:\n\n${item(lines.join(", "))}`;
}
