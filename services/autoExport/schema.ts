import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import type { Abi, AbiEvent, Hex } from "viem";
import { toEventSelector } from "viem";
import { argumentName, type Column, columnsOf, snakeCase } from "./columns.ts";

/** An event of a contract, and the table that stores its logs. */
export type EventTable = {
  /** Name without the schema: `event_node_registered`. */
  table: string;
  event: string;
  contract: ContractName;
  /** Whether several contracts share the table; it then has a column `contract`. */
  shared: boolean;
  selector: Hex;
  /** With every argument named. */
  abi: AbiEvent;
  columns: Column[];
  /** Whether every column can be written from its ABI word. */
  words: boolean;
};

/** The table of a log, and the generation of its contract. */
export type EventSource = { table: EventTable; generation: number };

/** The first columns of every event table. */
const commonColumns = [
  ["block_number", "bigint"],
  ["block_hash", "text"],
  ["block_time", "timestamptz"],
  ["tx_hash", "text"],
  ["log_index", "integer"],
  // Generation of the contract: 1 is the oldest of its name.
  ["generation", "smallint"],
] as const;

/** The ABI of each contract whose events are stored. */
export type Contracts = Partial<Record<ContractName, Abi>>;

const reserved = new Set<string>([...commonColumns.map(([name]) => name), "contract"]);

/**
 * The table of every event in the ABIs. An event that several contracts declare with the same arguments has one table, with a
 * column that names the contract. If the arguments differ, each contract has its own table, named after contract and event.
 */
export function eventTables(abis: Contracts): EventTable[] {
  const declared = Object.entries(abis).flatMap(([contract, abi]) =>
    abi
      .filter((item) => item.type === "event" && item.anonymous !== true)
      .map((event) => ({ contract, event })),
  ) as { contract: ContractName; event: AbiEvent }[];
  const byName = Map.groupBy(declared, ({ event }) => event.name);
  return declared.map(({ contract, event }) => {
    const sameName = byName.get(event.name) ?? [];
    const alike = new Set(sameName.map((other) => signatureOf(other.event))).size === 1;
    const name = alike ? event.name : contract + event.name;
    const inputs = event.inputs.map((input, index) => ({ ...input, name: argumentName(input, index) }));
    const columns = columnsOf(inputs, reserved);
    return {
      table: `event_${snakeCase(name)}`,
      event: name,
      contract,
      shared: alike && sameName.length > 1,
      selector: toEventSelector(event),
      abi: { ...event, inputs },
      columns,
      words: columns.every(({ writeWord }) => writeWord !== undefined),
    };
  });
}

/** The statements that create the event tables, one for each table. */
export function eventTableDdl(tables: readonly EventTable[]): string[] {
  const once = new Map(tables.map((table) => [table.table, table]));
  return [...once.values()].map(({ table, columns, shared }) => {
    const all = [
      ...commonColumns,
      ...(shared ? [["contract", "text"] as const] : []),
      ...columns.map(({ name, type }) => [name, type] as const),
    ];
    const lines = all.map(([name, type]) => `  "${name}" ${type} not null`);
    return `create table ${table} (\n${lines.join(",\n")},\n  primary key (block_number, log_index)\n)`;
  });
}

/** The indexes by which the history of a workspace is found. BRIN indexes cost little at each row that is written. */
export function eventIndexDdl(tables: readonly EventTable[]): string[] {
  const ofWorkspaces = tables.filter(({ columns }) => columns.some(({ name }) => name === "workspace_id"));
  return [...new Set(ofWorkspaces.map(({ table }) => table))].map(
    (table) =>
      `create index on ${table} using brin (workspace_id numeric_bloom_ops) with (pages_per_range = 16, autosummarize = on)`,
  );
}

function signatureOf(event: AbiEvent): string {
  return JSON.stringify(event.inputs.map(({ name, type, indexed }) => [name, type, indexed]));
}
