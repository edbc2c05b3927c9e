import { loadDefinitions } from "@ngpu/auto-export/definitions";
import type { EventTable } from "@ngpu/auto-export/schema";
import type { AbiEvent } from "viem";
import { toEventSignature } from "viem";
import { enumNames } from "../../../services/autoExport/enums.ts";
import { used } from "./events.ts";

/** An event's table, as passed to the peers' programs. */
export type PeerTable = {
  table: string;
  event: string;
  topic: string;
  signature: string;
  abi: AbiEvent;
  columns: {
    name: string;
    /** Postgres type. */
    type: string;
    argument: string;
    abiType: string;
    indexed: boolean;
    names?: readonly string[];
  }[];
};

/** The tables of the benchmark's events. Their events have no structs. */
export function peerTables(): PeerTable[] {
  const wanted = new Set(
    Object.entries(used).flatMap(([contract, events]) => events.map((event) => `${contract}.${event}`)),
  );
  return loadDefinitions()
    .tables.filter(({ contract, event }) => wanted.has(`${contract}.${event}`))
    .map(peerTable);
}

function peerTable({ table, event, selector, abi, columns }: EventTable): PeerTable {
  return {
    table,
    event,
    topic: selector,
    signature: toEventSignature(abi),
    abi,
    columns: abi.inputs.map((input: AbiEvent["inputs"][number], index) => {
      const names = enumNames(input.internalType);
      return {
        name: columns[index]?.name as string,
        type: columns[index]?.type as string,
        argument: input.name as string,
        abiType: input.type,
        indexed: input.indexed === true,
        ...(names === undefined ? {} : { names }),
      };
    }),
  };
}
