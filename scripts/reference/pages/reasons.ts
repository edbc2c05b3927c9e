import { chainEvents } from "@ngpu/protocol/reasons/chainEvents";
import { type ReasonCode, reasons, reasonText } from "@ngpu/protocol/reasons/reasons";
import { code, compare, item, pageHead, plain, wrapped } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `Why a workspace or a replica does not run, as \`GET /v1/workspaces/{id}\` shows in \`reason\`. A code never changes its
meaning. \`details\` has the facts that are known; texts from a container, a registry or an engine are theirs and bounded.`;
const NODE = "The node that has the lease reports these to match over its session.";
const MARKET = "The market's services know these.";
const CHAIN = `\`GET /v1/workspaces/{id}/events\` has the reasons above and these events of the chain.`;

export const reasonsPage: PageOf = () => {
  const codes = (Object.keys(reasons) as ReasonCode[]).sort(compare);
  const of = (source: "node" | "market") =>
    codes
      .filter((each) => reasons[each].source === source)
      .map(entryOf)
      .join("\n");
  const events = Object.entries(chainEvents).map(([name, says]) => item(`${code(name)}: ${plain(says)}`));
  const text = [
    pageHead("Reasons", HEAD),
    section("Of the node", NODE, of("node")),
    section("Of the market", MARKET, of("market")),
    section("Events of the chain", CHAIN, events.join("\n")),
  ].join("");
  return { text, problems: [] };
};

function section(title: string, says: string, list: string): string {
  return `\n## ${title}\n\n${wrapped(says)}\n\n${list}\n`;
}

function entryOf(name: ReasonCode): string {
  const { message, hint, details = {} } = reasonText(name);
  const facts = Object.entries(details).map(([fact, says]) => item(`${code(fact)}: ${plain(says)}`, 1));
  return [item(`${code(name)}: ${plain(message)} ${plain(hint)}`), ...facts].join("\n");
}
