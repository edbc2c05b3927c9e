import { waveTerms } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { FleetBlock } from "@ngpu/placement/fleet";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { readChanges, readUptimes } from "@ngpu/queries/fleet";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { Registry } from "prom-client";
import { createMatchMetrics } from "../../../services/match/metrics.ts";
import { reportSlotsSetAside } from "../../../services/match/presence/slotsSetAside.ts";
import { insertRow, openChainTables, wordRow } from "../support/chainTables.ts";

const at = (block: number) => ({
  block_number: block,
  block_hash: "0x",
  block_time: new Date(0),
  tx_hash: "0x",
});
const block = (number: number): FleetBlock => ({ number: BigInt(number), hash: `0x${number}`, time: number });

describe("match: uptime for placement", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  before(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_match"));
    // Slots 1 to 10, committed in blocks 1 to 10: node 2 is absent from 9 and 10, and registers before 7.
    for (let slot = 1; slot <= 10; slot++) {
      const bits = encodeHeartbeats(slot < 7 ? 1 : 2, new Set(slot < 9 ? [1, 2] : [1]));
      await insertRow(chain, "chain.heartbeat_slot", {
        slot,
        encoding: bits.encoding,
        node_count: bits.nodeCount,
        bits: bits.bits,
        block_number: slot,
      });
    }
    await insertRow(chain, "chain.event_heartbeats_disputed", {
      ...at(11),
      log_index: 0,
      slot: 9,
      ...wordRow(2),
    });
    await insertRow(chain, "chain.event_heartbeats_disputed", {
      ...at(11),
      log_index: 1,
      slot: 10,
      ...wordRow(2),
    });
    const challenge = { log_index: 0, node_id: 2, first_slot: 10, last_slot: 10 };
    await insertRow(chain, "chain.event_presence_challenged", { ...at(12), ...challenge });
  });
  after(() => close());

  const uptimes = async (number: number) => Object.fromEntries(await readUptimes(db, block(number)));

  it("counts a disputed slot as present and a challenged one as absent, from the block of the event", async () => {
    expect(await uptimes(10)).to.deep.equal({ 1: 1_000, 2: 500 });
    expect(await uptimes(11)).to.deep.equal({ 1: 1_000, 2: 1_000 });
    expect(await uptimes(12)).to.deep.equal({ 1: 1_000, 2: 750 });
    expect(await uptimes(0)).to.deep.equal({});
  });

  it("is read again when a slot was committed or corrected", async () => {
    const changed = async (from: number) =>
      (await readChanges(db, block(from), block(20), waveTerms.parse({}))).slots;
    expect([await changed(9), await changed(10), await changed(11), await changed(12)]).to.deep.equal([
      true,
      true,
      true,
      false,
    ]);
  });

  it("leaves out a slot whose bits cannot be read, which is counted and named once", async () => {
    const unreadable = { slot: 11, encoding: "bitmap", node_count: 2, bits: "0x" };
    await insertRow(chain, "chain.heartbeat_slot", { ...unreadable, block_number: 13 });
    expect(await uptimes(13)).to.deep.equal(await uptimes(12));
    const lines: string[] = [];
    const logger = createLogger("match", "info", { write: (line) => void lines.push(line) });
    const metrics = createMatchMetrics(new Registry());
    const checked = { until: 0, setAside: new Set<number>() };
    const counted = async () => {
      await reportSlotsSetAside({ pool: db, metrics, logger }, checked);
      return (await metrics.slotsSetAside.get()).values.map(({ value }) => value);
    };
    expect([await counted(), await counted()]).to.deep.equal([[1], [1]]);
    expect(lines.map((line) => JSON.parse(line).event)).to.deep.equal(["heartbeat_slot_set_aside"]);
  });
});
