import type { Addresses } from "./ports.ts";
import type { Up } from "./run.ts";
import type { Guest } from "./tokens.ts";

/** The panel of a running market: addresses, the partner's key (shown only once), and commands that work as pasted. */
export function panel(options: Up & { stateDir: string }): string {
  const { addresses, apiKey, workspace } = options;
  const rows: [string, string][] = [
    ["Console", addresses.api],
    ["API", addresses.api],
    ["API docs", `${addresses.api}/docs`],
    ["Partner key", `${apiKey}   (shown only once)`],
    ["Workspace", `${workspace.id}   ${workspace.image}`],
    ["Refundable", `${options.refundable} NGPU`],
    ["Logs, state", options.stateDir],
  ];
  const chat = [
    `curl -N ${addresses.api}/v1/chat/completions \\`,
    `  -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' \\`,
    `  -d '{"model":"${workspace.id}","stream":true,"messages":[{"role":"user","content":"What is a lease?"}]}'`,
  ];
  const account = [`curl ${addresses.api}/v1/account \\`, `  -H 'Authorization: Bearer ${apiKey}'`];
  const rule = "─".repeat(78);
  return [
    rule,
    "  ngpu is running",
    "",
    ...rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`),
    "",
    "  Chat with the workspace (streamed):",
    "",
    ...chat,
    "",
    "  Show the account of the key:",
    "",
    ...account,
    "",
    ...(options.guest === undefined ? [] : guestLines(addresses, options.guest)),
    "  Ctrl-C stops everything.",
    rule,
  ].join("\n");
}

/** Commands to become a partner of this market. */
function guestLines({ api }: Addresses, guest: Guest): string[] {
  return [
    "  Become a partner with a wallet of this market's (worth nothing anywhere else):",
    "",
    `  address      ${guest.address}   1000 NGPU, 1000 ETH`,
    `  private key  ${guest.key}   (also in ${guest.file})`,
    "",
    `npx node partner-docs/examples/join.ts --api ${api} --wallet ${guest.file} --deposit 5`,
    "",
    "  Get test tokens for a wallet of your own:",
    "",
    `npm run cli -- faucet 0x… --api ${api}`,
    "",
  ];
}
