import type { Database } from "@ngpu/db/pool";
import { expect } from "chai";
import {
  readPopular,
  readRequestedImages,
  requestImages,
} from "../../../../services/match/prefetch/store.ts";
import { insertRow, openChainTables } from "../../support/chainTables.ts";

const image = `0x${"ab".repeat(32)}`;
const later = 2 ** 40;

describe("match: popular images after contracts were replaced", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  before(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_match"));
    for (const generation of [1, 2]) {
      const workspace_id = generation === 1 ? 1 : later + 1;
      // What a stranger registers of the digest changes nothing.
      await insertRow(chain, "chain.image", {
        digest: image,
        generation,
        owner: "0x",
        chunk_root: "0x",
        reference: "stranger/name",
        size_bytes: 9_000_000_000_000_000_000n,
        block_number: 1,
      });
      await insertRow(chain, "chain.workspace", {
        workspace_id,
        generation,
        owner: `0x0${generation}`,
        authorization_id: 1,
        image,
        replicas: 1,
        stopped: false,
        policy: "exclusive",
        grace_seconds: 0,
        max_price_per_second: 0,
        gpu_model: "0x",
        min_vram_mib: 0,
        gpus: 0,
        ports: 0,
        min_compute_capability: 0,
        cpu_milli: 0,
        memory_mib: 0,
        disk_gib: 0,
        expires_at: 0,
        status: "open",
        config_hash: "0x",
        config: '{"image":"host/name"}',
        published_block: 1,
        published_tx: "0x",
        block_number: 1,
      });
      await insertRow(chain, "chain.event_assigned", {
        block_number: generation,
        block_hash: "0x",
        block_time: new Date(0),
        tx_hash: "0x",
        log_index: 0,
        generation,
        workspace_id,
        node_id: 1,
        replica: 0,
        lease: 1,
        fence: "0x",
        decided_at: generation,
        price_per_second: 0,
        start: true,
        position: 0,
        excluded: "0x",
      });
    }
  });
  after(() => close());

  it("keeps the partner of an order", async () => {
    const step = { nodeId: 1, image, reference: `host/name@${image}`, owner: "0x02", sizeBytes: 1n };
    await requestImages(db, [step]);
    expect(await readRequestedImages(db)).to.deep.equal([{ ...step, inProgress: true }]);
  });

  it("counts an image once, with the name in the workspace of its newest assignment", async () => {
    expect(await readPopular(db, 0n, 10)).to.deep.equal([
      {
        image,
        reference: `host/name@sha256:${"ab".repeat(32)}`,
        owner: "0x02",
        assignments: 2,
        workspaceId: BigInt(later + 1),
      },
    ]);
  });
});
