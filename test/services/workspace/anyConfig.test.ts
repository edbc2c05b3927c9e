import type { Database } from "@ngpu/db/pool";
import { expect } from "chai";
import fc from "fast-check";
import { isOutdated } from "../../../services/workspace/due.ts";
import { runs } from "../../support/runs.ts";
import { insertAssignment, insertRow, openChainTables } from "../support/chainTables.ts";

const base = {
  generation: 1,
  owner: "0x",
  authorization_id: 1,
  image: "0x01",
  replicas: 1,
  stopped: false,
  policy: "available",
  grace_seconds: 60,
  max_price_per_second: 1,
  gpu_model: "0x",
  min_vram_mib: 0,
  min_compute_capability: 0,
  region: null,
  gpus: 0,
  cpu_milli: 1,
  memory_mib: 1,
  disk_gib: 1,
  ports: 1,
  expires_at: 0,
  status: "open",
  published_block: 1,
  published_tx: "0x",
};

describe("workspace: a configuration that the chain may have", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  before(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_workspace"));
    for (const workspace_id of [1, 2])
      await insertAssignment(chain, { workspace_id, replica: 0, lease: 1, node_id: 1 });
  });
  after(() => close());

  /** Whether the leases are outdated, of workspace 1 with these configurations, and of workspace 2 after an ordinary update. */
  async function outdated(before: string, after: string): Promise<boolean[]> {
    await chain.query("delete from chain.workspace");
    await chain.query("delete from chain.workspace_past");
    for (const [workspace_id, old, now] of [
      [1, before, after],
      [2, '{"image":"a/b","env":{"A":"1"}}', '{"image":"a/b","env":{"A":"2"}}'],
    ] as const) {
      const row = (config: string, config_hash: string) => ({ ...base, workspace_id, config, config_hash });
      await insertRow(chain, "chain.workspace", { ...row(now, `0x${now === old ? 1 : 2}`), block_number: 2 });
      await insertRow(chain, "chain.workspace_past", {
        ...row(old, "0x1"),
        valid_from: 1,
        valid_to: 2,
        log_index: 0,
      });
    }
    const { rows } = await db.query<{ outdated: boolean }>(
      `select ${isOutdated("held")} as outdated from chain.assignment as held order by workspace_id`,
    );
    return rows.map(({ outdated: one }) => one);
  }

  it("that is no object is compared as a whole, and stops no other workspace", async () => {
    for (const [before, after] of [
      ["5", "6"],
      ['"text"', "null"],
      ["[1]", '["maxDown"]'],
      ['{"a":"\\u0000"}', '{"a":"\\u0001"}'],
      ["", "{"],
      ["1e999999", "true"],
      ['{"image":"a/b"}', "7"],
    ] as const) {
      expect(await outdated(before, after), `${before} ${after}`).to.deep.equal([true, true]);
      expect(await outdated(before, before), before).to.deep.equal([false, true]);
    }
  });

  it("is outdated by what its container depends on alone", async () => {
    expect(await outdated('{"image":"a/b"}', '{"image":"a/b","maxDown":3}')).to.deep.equal([false, true]);
    expect(await outdated('{"image":"a/b"}', '{"image":"a/b","health":"/x"}')).to.deep.equal([true, true]);
  });

  it("may be any text", async () => {
    const text = fc.oneof(fc.json(), fc.string()).map((one) => one.replaceAll("\0", "").toWellFormed());
    await fc.assert(
      fc.asyncProperty(text, text, async (before, after) => {
        expect((await outdated(before, after))[1]).to.equal(true);
      }),
      { numRuns: runs(20) },
    );
  });
});
