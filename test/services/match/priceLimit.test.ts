import { readChainSchema } from "@ngpu/db/chainSchema";
import type { Database } from "@ngpu/db/pool";
import { readWanted } from "@ngpu/queries/wanted";
import { expect } from "chai";
import { insertRow, openChainTables } from "../support/chainTables.ts";

const maximum = 100_000n;
const start = 1_700_000_000;

const workspace = {
  workspace_id: 1,
  generation: 1,
  owner: "0xaa",
  authorization_id: 1,
  image: "0x01",
  replicas: 4,
  policy: "available",
  grace_seconds: 0,
  max_price_per_second: maximum,
  gpu_model: "0x0000000000000000",
  min_vram_mib: 0,
  min_compute_capability: 0,
  region: null,
  gpus: 0,
  cpu_milli: 100,
  memory_mib: 100,
  disk_gib: 1,
  ports: 0,
  expires_at: 0,
  config_hash: "0x",
  config: "{}",
  status: "open",
  stopped: false,
  published_block: 1,
  published_tx: "0x",
  block_number: 1,
};

describe("match: the highest price of a replica that was taken away", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  /** A log in a block. */
  async function log(event: string, block: number, args: Record<string, unknown>, logIndex = 0) {
    const columns = Object.entries(readChainSchema().tables[`event_${event}`] ?? {});
    const content = columns.map(([name, type]) => [name, type === "text" ? "0x" : 0]);
    const place = { block_number: block, block_hash: `0x${block}`, log_index: logIndex, tx_hash: "0x" };
    await insertRow(chain, `chain.event_${event}`, {
      ...Object.fromEntries(content),
      ...place,
      block_time: new Date(0),
      workspace_id: 1,
      ...args,
    });
  }
  const assigned = (block: number, replica: number, lease: number, logIndex = 0) =>
    log("assigned", block, { replica, lease, node_id: 1, start: true, excluded: "0x" }, logIndex);
  /** The contract's limit of a replica, from a block until a second after the start. */
  const limited = (
    block: number,
    replica: number,
    lease: number,
    price: number,
    until: number,
    logIndex = 0,
  ) =>
    log("price_limited", block, { replica, lease, price_per_second: price, until: start + until }, logIndex);
  const updated = (block: number, logIndex = 0) => log("workspace_updated", block, {}, logIndex);

  beforeEach(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_match"));
    await insertRow(chain, "chain.workspace", workspace);
    for (let number = 1; number <= 9; number += 1) {
      // Ten seconds a block.
      const time = new Date((start + 10 * number) * 1_000);
      await insertRow(chain, "chain.block", { number, hash: `0x${number}`, parent_hash: "0x", time });
    }
  });
  afterEach(() => close());

  const wantedAt = (number: number, replica: number) => {
    const block = { number: BigInt(number), hash: `0x${number}`, time: start + 10 * number };
    return readWanted(db, { workspace_id: 1n, excluded: [], replica }, block);
  };
  const limitAt = async (number: number, replica: number) =>
    (await wantedAt(number, replica))?.request.maxPricePerSecond;

  it("is the contract's limit from its block until its end, of that replica alone", async () => {
    await assigned(1, 0, 1);
    await limited(2, 0, 1, 1_100, 45);
    const limits = await Promise.all([1, 2, 4, 5].map((block) => limitAt(block, 0)));
    expect(limits).to.deep.equal([maximum, 1_100n, 1_100n, maximum]);
    expect(await limitAt(3, 1)).to.equal(maximum);
    expect((await wantedAt(3, 0))?.priceLimit).to.deep.equal({ pricePerSecond: 1_100n, until: start + 45 });
    expect((await wantedAt(3, 1))?.priceLimit).to.equal(null);
  });

  it("is the newest limit, and never above the workspace's own", async () => {
    await assigned(1, 0, 1);
    await limited(2, 0, 1, 1_100, 500);
    await assigned(3, 0, 2);
    await limited(4, 0, 2, 900, 500);
    expect([await limitAt(3, 0), await limitAt(4, 0)]).to.deep.equal([1_100n, 900n]);
    await assigned(1, 1, 1, 1);
    await limited(2, 1, 1, 200_000, 500, 1);
    const wanted = await wantedAt(3, 1);
    expect(wanted?.request.maxPricePerSecond).to.equal(maximum);
    expect(wanted?.priceLimit).to.equal(null);
  });

  it("is the owner's again from an update of the workspace after the lease was assigned", async () => {
    await assigned(2, 0, 1, 3);
    await limited(4, 0, 1, 1_100, 500);
    await updated(2, 2);
    expect(await limitAt(6, 0)).to.equal(1_100n);
    await updated(5);
    expect([await limitAt(4, 0), await limitAt(5, 0)]).to.deep.equal([1_100n, maximum]);
    // A lease of before the update that was taken away after it.
    await assigned(2, 1, 1, 4);
    await limited(6, 1, 1, 1_100, 500);
    expect(await limitAt(7, 1)).to.equal(maximum);
    // A lease of after the update.
    await assigned(6, 2, 1, 1);
    await limited(7, 2, 1, 1_100, 500);
    expect(await limitAt(8, 2)).to.equal(1_100n);
  });
});
