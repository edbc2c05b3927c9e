import { type Abi, type Address, decodeEventLog, type Hex } from "viem";
import type { FollowedBlock } from "../shared/chain/blocks.ts";
import type { ChainLog } from "../shared/chain/rpc.ts";
import { FatalError } from "../shared/errors.ts";
import type { Column } from "./columns.ts";
import { copyField } from "./copy.ts";
import type { EventTable } from "./schema.ts";
import type { WordReader } from "./words.ts";

/** Rows by table, as lines that COPY takes. */
export type EventRows = Map<string, { lines: string; count: number }>;

/** Finds the event table of a log: undefined for other contracts and for events that no ABI names. */
export type EventIndex = (log: ChainLog) => EventTable | undefined;

/** @param contracts Where the contracts of the tables are. */
export function indexEvents(
  tables: readonly EventTable[],
  contracts: Readonly<Record<string, Address>>,
): EventIndex {
  const byKey = new Map<string, EventTable>();
  for (const table of tables) {
    const address = contracts[table.contract];
    if (address !== undefined) byKey.set(`${address.toLowerCase()}${table.selector}`, table);
  }
  return (log) => byKey.get(`${log.address}${log.topics[0]}`);
}

/** Where the contracts are that the tables' events come from. */
export function addressesOf(
  tables: readonly EventTable[],
  contracts: Readonly<Record<string, Address>>,
): Address[] {
  const names = new Set(tables.map(({ contract }) => contract));
  return Object.entries(contracts).flatMap(([name, address]) => (names.has(name) ? [address] : []));
}

/** The rows of all known events in the blocks. @throws FatalError `event_undecodable` when the ABI is not the contract's. */
export function rowsOf(blocks: readonly FollowedBlock[], find: EventIndex): EventRows {
  const rows: EventRows = new Map();
  for (const block of blocks) {
    if (block.logs.length === 0) continue;
    const place = `${block.number}\t${block.hash}\t${timeOf(block.timestamp)}\t`;
    for (const log of block.logs) {
      const table = find(log);
      if (table === undefined) continue;
      const line = `${place}${log.transactionHash}\t${log.logIndex}${valuesOf(log, table)}\n`;
      const list = rows.get(table.table);
      if (list === undefined) rows.set(table.table, { lines: line, count: 1 });
      else {
        list.lines += line;
        list.count += 1;
      }
    }
  }
  return rows;
}

/** What stands in a row after the common columns, each field with its tab. */
export function valuesOf(log: ChainLog, table: EventTable): string {
  const own = table.shared ? `\t${table.contract}` : "";
  return own + (table.words ? wordValues(log, table) : decodedValues(log, table));
}

/** Without a decoder: where each column's word stands follows from the ABI alone. */
function wordValues(log: ChainLog, table: EventTable): string {
  const data = log.data.toLowerCase();
  let text = "";
  let topic = 1;
  // After 0x.
  let at = 2;
  try {
    for (const { indexed, readWord } of table.columns as (Column & { readWord: WordReader })[]) {
      if (indexed) text += `\t${readWord(wordAt(log.topics[topic++], 2), 2)}`;
      else {
        text += `\t${readWord(wordAt(data, at), at)}`;
        at += 64;
      }
    }
  } catch (error) {
    throw undecodable(log, table, error);
  }
  return text;
}

function wordAt(hex: string | undefined, at: number): string {
  if (hex !== undefined && hex.length >= at + 64) return hex;
  throw new RangeError("The log is shorter than its event.");
}

/** With viem's decoder, for events with parts of varying length. */
export function decodedValues(log: ChainLog, table: EventTable): string {
  const args = argumentsOf(log, table);
  return table.columns.map((column) => `\t${copyField(column.type, column.read(args))}`).join("");
}

function argumentsOf(log: ChainLog, table: EventTable): Record<string, unknown> {
  const topics = log.topics as [Hex, ...Hex[]];
  try {
    const { args } = decodeEventLog({ abi: [table.abi] as Abi, topics, data: log.data });
    return (args ?? {}) as unknown as Record<string, unknown>;
  } catch (error) {
    throw undecodable(log, table, error);
  }
}

function undecodable(log: ChainLog, { abi, contract }: EventTable, cause: unknown): unknown {
  // A value of an enum that has no name says itself what to do.
  if (cause instanceof FatalError) return cause;
  return new FatalError(`A log of ${contract} is not a ${abi.name} as the ABI has it.`, {
    code: "event_undecodable",
    hint: "The contract at this address is of another version: deploy again, or run the version it was deployed with.",
    details: { blockNumber: log.blockNumber, logIndex: log.logIndex, address: log.address },
    cause,
  });
}

/** Unix seconds as an ISO time. */
export function timeOf(timestamp: bigint): string {
  return new Date(Number(timestamp) * 1_000).toISOString();
}
