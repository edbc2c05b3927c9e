import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { addressesOf, type Generations, generationsOf } from "@ngpu/contracts-sdk/generations";
import { FatalError } from "@ngpu/runtime/errors";
import { type Abi, type Address, decodeEventLog, type Hex } from "viem";
import { longestValue, type Words, type WordWriter, writeNumber } from "./abiWords.ts";
import type { Column } from "./columns.ts";
import { copyField } from "./copy.ts";
import { addAscii, addText, createLines, type Lines, reserve } from "./copyLines.ts";
import type { EventSource, EventTable } from "./schema.ts";
import { type Aside, asideTable, asideValues, reasonOf } from "./setAside.ts";

/** Rows by table. */
export type EventRows = Map<string, Lines>;

const tab = 9;
const lineEnd = 10;

// Offsets of a log's words, each after its 0x: up to three topics after the first, then the data.
const topicOffset = 4;
const topicStride = 68;
const dataOffset = topicOffset + 3 * topicStride;
let words = allocateWords(4_096);

/** Finds the source of a log; undefined for other contracts and for events that no ABI declares. */
export type EventIndex = (log: ChainLog) => EventSource | undefined;

/** @param generations Addresses of the tables' contracts. */
export function indexEvents(tables: readonly EventTable[], generations: Generations): EventIndex {
  const byAddress = new Map<string, Map<string, EventSource>>();
  for (const table of tables) {
    for (const { generation, address } of generationsOf(generations, table.contract)) {
      const at = address.toLowerCase();
      const bySelector = byAddress.get(at) ?? new Map<string, EventSource>();
      byAddress.set(at, bySelector.set(table.selector, { table, generation }));
    }
  }
  return (log) => byAddress.get(log.address)?.get(log.topics[0]);
}

/** Current and previous addresses of the contracts that emit the tables' events. */
export function sourceAddresses(tables: readonly EventTable[], generations: Generations): Address[] {
  const names = new Set<ContractName>(tables.map(({ contract }) => contract));
  return [...names].flatMap((name) => addressesOf(generations, name));
}

/**
 * The rows of all known events in the blocks. A log that does not match its ABI becomes a row of `set_aside`.
 *
 * @param aside.logs Logs to set aside, with the errors of their rows.
 */
export function rowsOf(blocks: readonly FollowedBlock[], find: EventIndex, aside: Aside = {}): EventRows {
  const rows: EventRows = new Map();
  for (const block of blocks) {
    if (block.logs.length === 0) continue;
    const blockFields = `${block.number}\t${block.hash}\t${timeOf(block.timestamp)}\t`;
    for (const log of block.logs) {
      const source = find(log);
      if (source === undefined) continue;
      const refused =
        aside.logs?.get(log) ?? tryRow(linesOf(rows, source.table.table), blockFields, log, source);
      if (refused === undefined) continue;
      const why = reasonOf(refused);
      const row = asideValues(log, source, why);
      addRow(linesOf(rows, asideTable), blockFields, log, source.generation, (lines) => addText(lines, row));
      aside.onSetAside?.({ log, source, ...why });
    }
  }
  for (const [table, { count }] of rows) if (count === 0) rows.delete(table);
  return rows;
}

function linesOf(rows: EventRows, table: string): Lines {
  let lines = rows.get(table);
  if (lines === undefined) {
    lines = createLines();
    rows.set(table, lines);
  }
  return lines;
}

/** Adds the row of a log. @returns the error of a log that does not match its ABI; then nothing was added */
function tryRow(
  lines: Lines,
  blockFields: string,
  log: ChainLog,
  { table, generation }: EventSource,
): unknown {
  const begin = lines.end;
  try {
    addRow(lines, blockFields, log, generation, () => addValues(lines, log, table));
    return undefined;
  } catch (error) {
    lines.end = begin;
    return error;
  }
}

function addRow(
  lines: Lines,
  blockFields: string,
  log: ChainLog,
  generation: number,
  addOwn: (lines: Lines) => void,
): void {
  reserve(lines, blockFields.length + log.transactionHash.length + 2 * longestValue);
  addAscii(lines, blockFields);
  addAscii(lines, log.transactionHash);
  addByte(lines, tab);
  lines.end = writeNumber(log.logIndex, lines.bytes, lines.end);
  addByte(lines, tab);
  lines.end = writeNumber(generation, lines.bytes, lines.end);
  addOwn(lines);
  reserve(lines, 1);
  addByte(lines, lineEnd);
  lines.count += 1;
}

/** Adds the fields after the common columns, each with a tab before it. */
export function addValues(lines: Lines, log: ChainLog, table: EventTable): void {
  if (table.shared) addText(lines, `\t${table.contract}`);
  if (table.words) addWords(lines, log, table);
  else addText(lines, decodedValues(log, table));
  reserve(lines, 1);
}

/** Writes the columns without a decoder: the ABI determines the offset of each word. */
function addWords(lines: Lines, log: ChainLog, table: EventTable): void {
  reserve(lines, table.columns.length * (longestValue + 1) + 1);
  const last = writeLogWords(log);
  let topic = 0;
  let at = dataOffset;
  try {
    for (const { indexed, writeWord } of table.columns as (Column & { writeWord: WordWriter })[]) {
      const offset = indexed ? topicOffset + topic++ * topicStride : at;
      if (indexed ? topic >= log.topics.length : at + 64 > last) {
        throw new RangeError("The log is shorter than its event.");
      }
      if (!indexed) at += 64;
      addByte(lines, tab);
      lines.end = writeWord(words, offset, lines.bytes, lines.end);
    }
  } catch (error) {
    throw undecodable(log, table, error);
  }
}

/** Copies a log's topics and data into `words`. Returns the offset after the data. */
function writeLogWords({ topics, data }: ChainLog): number {
  if (dataOffset + data.length > words.bytes.length) words = allocateWords(dataOffset + 2 * data.length);
  const { bytes } = words;
  for (let topic = 1; topic < topics.length; topic++) {
    bytes.write(topics[topic] as Hex, topicOffset + (topic - 1) * topicStride - 2, "latin1");
  }
  return dataOffset - 2 + bytes.write(data, dataOffset - 2, "latin1");
}

function allocateWords(size: number): Words {
  const memory = new ArrayBuffer(Math.ceil(size / 4) * 4);
  return { bytes: Buffer.from(memory), quads: new Uint32Array(memory) };
}

function addByte(lines: Lines, byte: number): void {
  lines.bytes[lines.end++] = byte;
}

/** The fields of a log by viem's decoder, for events with values of variable length. */
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
  // The error of an enum value without a name has its own hint.
  if (cause instanceof FatalError) return cause;
  return new FatalError(`A log of ${contract} does not match the ABI of ${abi.name}.`, {
    code: "event_undecodable",
    hint: "Redeploy the contract, or run the version of autoExport that it was deployed with.",
    details: { blockNumber: log.blockNumber, logIndex: log.logIndex, address: log.address },
    cause,
  });
}

/** Unix seconds as an ISO time. */
export function timeOf(timestamp: bigint): string {
  return new Date(Number(timestamp) * 1_000).toISOString();
}
