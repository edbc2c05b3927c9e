import type { ApiClient, Schema } from "@ngpu/api-client/client";
import { statementColumns } from "@ngpu/protocol/statementColumns";
import { InputError } from "@ngpu/runtime/errors";
import { print, printEach } from "../shared/output.ts";
import { apiOf, type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { parseSeconds, tokens } from "../shared/units.ts";

type Entry = Schema<"StatementEntry">;
type Options = GlobalOptions & { since?: string; wallet?: string; csv: boolean };

const route = "GET /v1/accounts/{address}/statement";

/** Lists every change of a wallet's money, newest first, and the sum of each book. */
export async function showStatement(options: Options): Promise<void> {
  const settings = settingsOf(options);
  const api = options.wallet === undefined ? partnerApi(settings) : apiOf(settings);
  const address = options.wallet ?? (await api.call("GET /v1/account", {})).wallet;
  const entries = await read(api, address, options.since);
  if (settings.json) return printEach(entries);
  if (options.csv) return print(csv(entries));
  print(`${entryTable(entries)}\n\n${sumLines(entries).join("\n")}`);
}

async function read(api: ApiClient, address: string, since: string | undefined): Promise<Entry[]> {
  if (!/^0x[0-9a-fA-F]{40}$/.test(address)) {
    throw new InputError(`${address} is not an address.`, {
      code: "address_invalid",
      hint: "An address is 0x followed by 40 hexadecimal digits.",
    });
  }
  const from = since === undefined ? 0 : Date.now() - parseSeconds(since) * 1000;
  const entries: Entry[] = [];
  for await (const entry of api.list(route, { path: { address }, query: { limit: 200 } })) {
    if (Date.parse(entry.at) < from) break;
    entries.push(entry);
  }
  return entries;
}

function entryTable(entries: readonly Entry[]): string {
  const columns = [
    { title: "TIME" },
    { title: "BOOK" },
    { title: "KIND" },
    { title: "NGPU", right: true },
    { title: "WORKSPACE" },
    { title: "NODE" },
    { title: "TRANSACTION", cut: true },
  ];
  const rows = entries.map((entry) => [
    entry.at.slice(0, 19).replace("T", " "),
    entry.book,
    entry.kind,
    tokens(entry.amount),
    entry.workspaceId ?? "",
    String(entry.nodeId ?? ""),
    entry.txHash ?? "",
  ]);
  return table(columns, rows);
}

/** The sum of each book. Without a period these are its balances on the chain. */
function sumLines(entries: readonly Entry[]): string[] {
  const books = Map.groupBy(entries, ({ book }) => book);
  return [...books].map(([book, own]) => {
    const sum = own.reduce((total, { amount }) => total + BigInt(amount), 0n);
    return `Sum of ${book}: ${tokens(sum)} NGPU.`;
  });
}

const columns: readonly (keyof Entry)[] = statementColumns;

function csv(entries: readonly Entry[]): string {
  const lines = entries.map((entry) => columns.map((column) => entry[column] ?? "").join(","));
  return [columns.join(","), ...lines].join("\n");
}
