import type { Addresses } from "./ports.ts";
import type { JourneyResult } from "./result.ts";

/** What the market shows when it is up: addresses, the partner's key (this once), and two commands that work as pasted. */
export function panel(options: {
  addresses: Addresses;
  apiKey: string;
  result: JourneyResult;
  refundable: string;
  stateDir: string;
}): string {
  const { addresses, apiKey, result } = options;
  const rows: [string, string][] = [
    ["API", addresses.api],
    ["API docs", `${addresses.api}/docs`],
    ["Partner key", `${apiKey}   (shown this once)`],
    ["Workspace", `${result.workspace.id}   ${result.workspace.image}`],
    ["Refundable", `${options.refundable} NGPU`],
    ["Logs, state", options.stateDir],
  ];
  const chat = [
    `curl -N ${addresses.api}/v1/chat/completions \\`,
    `  -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' \\`,
    `  -d '{"model":"${result.workspace.id}","stream":true,"messages":[{"role":"user","content":"What is a lease?"}]}'`,
  ];
  const account = [`curl ${addresses.api}/v1/account \\`, `  -H 'Authorization: Bearer ${apiKey}'`];
  const rule = "─".repeat(78);
  return [
    rule,
    "  ngpu is up",
    "",
    ...rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`),
    "",
    "  Ask the workspace, streamed:",
    "",
    ...chat,
    "",
    "  See the account behind the key:",
    "",
    ...account,
    "",
    "  Ctrl-C stops everything.",
    rule,
  ].join("\n");
}
