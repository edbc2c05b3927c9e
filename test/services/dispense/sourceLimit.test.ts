import type { Database } from "@ngpu/db/pool";
import { expect } from "chai";
import { loadPlacementFacts } from "../../../services/dispense/store.ts";
import { insertAssignment, insertNode, insertRow, openChainTables } from "../support/chainTables.ts";

const limits = {
  replicas: 64,
  source: 2,
  attempts: 5,
  attemptsWindow: 60,
  pause: 30,
  avoidRefused: 30,
  avoidReplaced: 60,
};

describe("image transfers from one registry", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  before(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_dispense"));
    await insertRow(chain, "chain.block", {
      number: 1,
      hash: "0x01",
      parent_hash: "0x00",
      time: new Date(),
    });
    await insertRow(chain, "chain.head", { tier: "unsafe", number: 1, hash: "0x01" });
    await insertNode(chain, { node_id: 1, key: "0x01" });
    // Workspaces 1 and 2 are of one partner, workspace 3 of another; all images are of one registry.
    for (const [workspaceId, owner] of [
      [1, "0xaa"],
      [2, "0xaa"],
      [3, "0xbb"],
    ] as const) {
      await insertRow(chain, "chain.workspace", workspaceOf(workspaceId, owner));
    }
    await insertAssignment(chain, { workspace_id: 1, replica: 0, lease: 1, node_id: 1 });
    await insertAssignment(chain, { workspace_id: 2, replica: 0, lease: 1, node_id: 1 });
  });
  after(() => close());

  it("are counted for each partner: those of one do not hold up those of another", async () => {
    const counted = async (workspaceId: bigint) =>
      (await loadPlacementFacts(db, workspaceId, limits))?.fromSource;
    expect([await counted(1n), await counted(2n), await counted(3n)]).to.deep.equal([2, 2, 0]);
  });
});

function workspaceOf(workspaceId: number, owner: string) {
  const image = `0x${"0".repeat(63)}${workspaceId}`;
  return {
    workspace_id: workspaceId,
    generation: 1,
    owner,
    authorization_id: 0,
    image,
    replicas: 2,
    stopped: false,
    policy: "available",
    grace_seconds: 60,
    max_price_per_second: 1,
    gpu_model: "0x0000000000000000",
    min_vram_mib: 0,
    min_compute_capability: 0,
    region: null,
    gpus: 0,
    cpu_milli: 500,
    memory_mib: 256,
    disk_gib: 1,
    ports: 1,
    expires_at: 0,
    config_hash: "0x",
    status: "open",
    block_number: 1,
    published_block: 1,
    published_tx: "0x",
    config: JSON.stringify({ image: "registry.example/image" }),
  };
}
