import { readChainSchema } from "@ngpu/db/chainSchema";
import type { Database } from "@ngpu/db/pool";
import { readWanted } from "@ngpu/queries/wanted";
import { expect } from "chai";
import { insertAssignment, insertRow, openChainTables } from "../support/chainTables.ts";

const hour = 3_600;
const day = 24 * hour;
const maximum = 100_000n;

const workspace = {
  ...{ workspace_id: 1, generation: 1, owner: "0xaa", authorization_id: 1, image: "0x01", replicas: 4 },
  ...{
    policy: "available",
    grace_seconds: 0,
    max_price_per_second: maximum,
    gpu_model: "0x0000000000000000",
  },
  ...{ min_vram_mib: 0, min_compute_capability: 0, region: null, gpus: 0, cpu_milli: 100, memory_mib: 100 },
  ...{
    disk_gib: 1,
    ports: 0,
    expires_at: 0,
    config_hash: "0x",
    config: "{}",
    status: "open",
    stopped: false,
  },
  ...{ published_block: 1, published_tx: "0x", block_number: 1 },
};

/** Blocks by their number: when they were made, seconds. */
const times: Record<number, number> = {
  1: 0,
  2: 10,
  3: 10 + hour - 1,
  4: 10 + hour,
  5: 9 + day,
  6: 10 + day,
};

describe("match: the highest price of a replica that was taken away", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  /** A lease at 1,000 a second that began in block 1 and was released in block 2. */
  async function taken(replica: number, reason: string, settled = 1, changes: Record<string, unknown> = {}) {
    const key = { workspace_id: 1, replica, lease: 1 };
    await insertAssignment(chain, {
      ...{ ...key, node_id: 1, price_per_second: 1_000, state: "released", release_reason: reason },
      ...{ block_number: 2, ...changes },
    });
    await insertRow(chain, "chain.lease", {
      ...{ ...key, generation: 1, node_id: 1, authorization_id: 1, rate: 1_000, lock: 0, from_lock: 0 },
      ...{ clock: "closed", running: false, settled, refunded: 0, closed: true, block_number: 2 },
    });
  }

  beforeEach(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_match"));
    await insertRow(chain, "chain.workspace", workspace);
    for (const [number, seconds] of Object.entries(times)) {
      const time = new Date((1_700_000_000 + seconds) * 1_000);
      await insertRow(chain, "chain.block", { number, hash: `0x${number}`, parent_hash: "0x", time });
    }
  });
  afterEach(() => close());

  const limitAt = async (number: number, replica: number) => {
    const block = { number: BigInt(number), hash: `0x${number}`, time: times[number] as number };
    const wanted = await readWanted(db, { workspace_id: 1n, excluded: [], replica }, block);
    return wanted?.request.maxPricePerSecond;
  };

  it("is a tenth more for a day after a loss, and for an hour after another release", async () => {
    await taken(0, "lost");
    await taken(1, "replaced");
    await taken(2, "late");
    const limits = async (replica: number) => [
      await limitAt(1, replica),
      await limitAt(3, replica),
      await limitAt(4, replica),
      await limitAt(5, replica),
      await limitAt(6, replica),
    ];
    expect(await limits(0)).to.deep.equal([maximum, 1_100n, 1_100n, 1_100n, maximum]);
    expect(await limits(1)).to.deep.equal([maximum, 1_100n, maximum, maximum, maximum]);
    expect(await limits(2)).to.deep.equal([maximum, 1_100n, maximum, maximum, maximum]);
    expect(await limits(3)).to.deep.equal([maximum, maximum, maximum, maximum, maximum]);
  });

  it("is the owner's where the lease never ran, its owner ended it, or it was released for another reason", async () => {
    await taken(0, "lost", 0);
    await taken(1, "lost", 1, { desired: "delete" });
    await taken(2, "unfunded");
    for (const replica of [0, 1, 2]) expect(await limitAt(3, replica)).to.equal(maximum);
  });

  it("is the owner's again from an update of the workspace on", async () => {
    await taken(0, "lost");
    const columns = Object.entries(readChainSchema().tables.event_workspace_updated ?? {});
    const content = columns.map(([name, type]) => [name, type === "text" ? "0x" : 0]);
    await insertRow(chain, "chain.event_workspace_updated", {
      ...Object.fromEntries(content),
      ...{ block_number: 3, block_hash: "0x3", block_time: new Date(0), log_index: 0, tx_hash: "0x" },
      workspace_id: 1,
    });
    expect(await limitAt(2, 0)).to.equal(1_100n);
    expect(await limitAt(3, 0)).to.equal(maximum);
    // A lease of after the update.
    await taken(1, "lost", 1, { assigned_block: 4, block_number: 4 });
    expect(await limitAt(5, 1)).to.equal(1_100n);
  });
});
