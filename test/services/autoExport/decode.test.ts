import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { type EventTable, eventTables } from "@ngpu/auto-export/schema";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import { createPool } from "@ngpu/db/pool";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import fc from "fast-check";
import { type AbiEvent, type AbiParameter, type Hex, numberToHex, pad } from "viem";
import { copyRows } from "../../../services/autoExport/copy.ts";
import { bytesOf, createLines } from "../../../services/autoExport/copyLines.ts";
import { addValues, decodedValues } from "../../../services/autoExport/decode.ts";
import { enumNames } from "../../../services/autoExport/enums.ts";
import { encodeEvent, testContracts } from "../../packages/chain-reader/scriptedChain.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { tables } = loadDefinitions();

function valuesOf(log: ChainLog, table: EventTable): string {
  const lines = createLines();
  addValues(lines, log, table);
  return bytesOf(lines).toString();
}

const hex = (size: number): fc.Arbitrary<Hex> =>
  fc.oneof(
    fc
      .uint8Array({ minLength: size, maxLength: size })
      .map((bytes): Hex => `0x${Buffer.from(bytes).toString("hex")}`),
    fc.constant(pad("0x", { size })),
  );

/** Any value of a parameter, often a small one or the largest. */
function anyValue(parameter: AbiParameter): fc.Arbitrary<unknown> {
  const { type } = parameter;
  if (type.endsWith("[]"))
    return fc.array(anyValue({ ...parameter, type: type.slice(0, -2) }), { maxLength: 3 });
  if (type === "tuple" && "components" in parameter) {
    return fc.record(
      Object.fromEntries(parameter.components.map((part) => [part.name as string, anyValue(part)])),
    );
  }
  const names = enumNames(parameter.internalType);
  if (names !== undefined) return fc.nat(names.length - 1).filter((value) => names[value] !== undefined);
  const integer = /^(u?)int(\d+)$/.exec(type);
  if (integer !== null) {
    const bits = BigInt(integer[2] as string);
    const [min, max] =
      integer[1] === "u" ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
    const any = fc.oneof(
      fc.bigInt({ min, max }),
      fc.constantFrom(min, max),
      fc.bigInt({ min: 0n, max: 100n }),
    );
    return bits <= 48n ? any.map(Number) : any;
  }
  if (type === "bool") return fc.boolean();
  if (type === "address") return hex(20);
  if (type === "string") return fc.string({ unit: "grapheme" });
  if (type === "bytes") return fc.nat(40).chain(hex);
  return hex(Number(type.slice("bytes".length)));
}

function anyLog(abi: AbiEvent): fc.Arbitrary<ChainLog> {
  const inputs = abi.inputs.map((input) => [input.name as string, anyValue(input)] as const);
  return fc.record(Object.fromEntries(inputs)).map((args) => {
    const { topics, data } = encodeEvent(testContracts.Escrow, abi, args);
    return {
      address: testContracts.Escrow,
      topics: topics as [Hex, ...Hex[]],
      data,
      blockNumber: 1n,
      blockHash: pad("0x1", { size: 32 }),
      transactionHash: pad("0x2", { size: 32 }),
      logIndex: 0,
    };
  });
}

describe("reading events", () => {
  it("returns what viem decodes, for every event of the contracts whose values have fixed offsets", () => {
    const placed = tables.filter(({ words }) => words);
    expect(placed.map(({ event }) => event)).to.include.members([
      "Settled",
      "StateChanged",
      "MeasureFinalized",
    ]);
    for (const table of placed) {
      const own = table.shared ? `\t${table.contract}` : "";
      fc.assert(
        fc.property(anyLog(table.abi), (log) => {
          expect(valuesOf(log, table)).to.equal(own + decodedValues(log, table));
        }),
        { numRuns: 40 },
      );
    }
  });

  it("ignores data after the event's values, of any length", () => {
    const table = tables.find(({ event }) => event === "Settled");
    if (table === undefined) throw new Error("no table");
    fc.assert(
      fc.property(anyLog(table.abi), fc.nat(20_000), (log, more) => {
        const longer = { ...log, data: `${log.data}${"ab".repeat(more)}` as Hex };
        expect(valuesOf(longer, table)).to.equal(decodedValues(log, table));
      }),
      { numRuns: 20 },
    );
  });

  it("returns what viem decodes for types that the contracts do not use", () => {
    const inputs = ["int8", "int128", "int256", "uint256", "uint48", "uint56", "bytes1", "bytes31"];
    const abi: AbiEvent = {
      type: "event",
      name: "Odd",
      inputs: [
        { name: "hashed", type: "int64", indexed: true },
        ...inputs.map((type) => ({ name: `the_${type}`, type })),
      ],
    };
    const [table] = eventTables({ Escrow: [abi] });
    if (table === undefined) throw new Error("no table");
    expect(table.words).to.equal(true);
    fc.assert(
      fc.property(anyLog(table.abi), (log) => {
        expect(valuesOf(log, table)).to.equal(decodedValues(log, table));
      }),
    );
  });

  it("rejects a log that is truncated, is not hexadecimal or has a boolean of 2", () => {
    const table = tables.find(({ event }) => event === "MeasureSubmitted");
    if (table === undefined) throw new Error("no table");
    const [complete] = fc.sample(anyLog(table.abi), { numRuns: 1, seed: 1 }) as [ChainLog];
    const refused = (change: Partial<ChainLog>) =>
      expect(() => valuesOf({ ...complete, ...change }, table))
        .to.throw(FatalError)
        .with.property("code", "event_undecodable");
    refused({ data: complete.data.slice(0, -2) as Hex });
    refused({ topics: complete.topics.slice(0, 2) as [Hex, ...Hex[]] });
    refused({ data: `0x${"z".repeat(complete.data.length - 2)}` });
    const place = table.columns.filter(({ indexed }) => !indexed).findIndex(({ type }) => type === "boolean");
    const words = complete.data.slice(2).match(/.{64}/g) ?? [];
    words[place] = numberToHex(2, { size: 32 }).slice(2);
    refused({ data: `0x${words.join("")}` });
  });
});

describe("COPY", () => {
  it("stores any text, array and JSON unchanged", async () => {
    const texts = ["", "a\tb\nc\rd\\e", '"{},\\N', "\\.", "NULL", "gr\u00fc\u00df \ud83d\ude80"];
    const abi: AbiEvent = {
      type: "event",
      name: "Said",
      inputs: [
        { name: "text", type: "string" },
        { name: "list", type: "string[]" },
        { name: "parts", type: "tuple[]", components: [{ name: "inText", type: "string" }] },
      ],
    };
    const [table] = eventTables({ Escrow: [abi] });
    if (table === undefined) throw new Error("no table");
    const database = await createTestDatabase();
    const pool = createPool({ url: database.url, name: "test", max: 1 });
    const db = await pool.connect();
    try {
      await db.query("create table sample (text text, list text[], parts jsonb)");
      const args = { list: texts, parts: texts.map((inText) => ({ inText })) };
      const lines = texts.map((text) => {
        const log = encodeEvent(testContracts.Escrow, table.abi, { ...args, text });
        return `${valuesOf(log as unknown as ChainLog, table).slice(1)}\n`;
      });
      await copyRows(db, "sample", lines.join(""));
      const { rows } = await db.query("select * from sample");
      const parts = texts.map((text) => ({ in_text: text }));
      expect(rows).to.deep.equal(texts.map((text) => ({ text, list: texts, parts })));
    } finally {
      db.release();
      await pool.end();
      await database.drop();
    }
  });

  it("rejects with the server's error for an invalid row, and the connection stays usable", async () => {
    const database = await createTestDatabase();
    const pool = createPool({ url: database.url, name: "test", max: 1 });
    const db = await pool.connect();
    try {
      await db.query("create table numbers (number integer)");
      const rejection = await copyRows(db, "numbers", "1\nno\n").catch((error: unknown) => error);
      expect(rejection).to.have.property("code", "22P02");
      await copyRows(db, "numbers", "7\n");
      expect((await db.query("select number from numbers")).rows).to.deep.equal([{ number: 7 }]);
    } finally {
      db.release();
      await pool.end();
      await database.drop();
    }
  });
});
