import { type Abi, type Address, decodeEventLog, type Hex } from "viem";
import type { FollowedBlock } from "../shared/chain/blocks.ts";
import type { ChainLog } from "../shared/chain/rpc.ts";
import { FatalError } from "../shared/errors.ts";
import type { EventTable } from "./schema.ts";

/** Rows by table, as JSON objects that Postgres reads the column types from. */
export type EventRows = Map<string, Record<string, unknown>[]>;

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
    for (const log of block.logs) {
      const table = find(log);
      if (table === undefined) continue;
      const list = rows.get(table.table);
      const row = rowOf(block, log, table);
      if (list === undefined) rows.set(table.table, [row]);
      else list.push(row);
    }
  }
  return rows;
}

function rowOf(block: FollowedBlock, log: ChainLog, table: EventTable): Record<string, unknown> {
  const args = argumentsOf(log, table);
  const row: Record<string, unknown> = {
    block_number: block.number.toString(),
    block_hash: block.hash,
    block_time: timeOf(block.timestamp),
    tx_hash: log.transactionHash,
    log_index: log.logIndex,
  };
  if (table.shared) row.contract = table.contract;
  for (const column of table.columns) row[column.name] = column.read(args);
  return row;
}

function argumentsOf(log: ChainLog, { abi, contract }: EventTable): Record<string, unknown> {
  const topics = log.topics as [Hex, ...Hex[]];
  try {
    return (decodeEventLog({ abi: [abi] as Abi, topics, data: log.data }).args ?? {}) as unknown as Record<
      string,
      unknown
    >;
  } catch (error) {
    throw new FatalError(`A log of ${contract} is not a ${abi.name} as the ABI has it.`, {
      code: "event_undecodable",
      hint: "The contract at this address is of another version: deploy again, or run the version it was deployed with.",
      details: { blockNumber: log.blockNumber, logIndex: log.logIndex, address: log.address },
      cause: error,
    });
  }
}

/** Unix seconds as an ISO time. */
export function timeOf(timestamp: bigint): string {
  return new Date(Number(timestamp) * 1_000).toISOString();
}
