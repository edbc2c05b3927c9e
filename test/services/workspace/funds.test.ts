import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toJson } from "@ngpu/runtime/json";
import { readWorkspaceEnv } from "@ngpu/workspace/env";
import { expect } from "chai";
import { startWorkspace } from "../../../services/workspace/workspace.ts";
import { testStateDir } from "../../support/parts.ts";
import { createTestContext, eventually, type TestContext } from "../support/context.ts";
import { privateKeyOf } from "./chain.ts";
import { addNode, assign, fund, type LeaseRef, publish } from "./chainActions.ts";
import { openMarket, type TestMarket, untilLease } from "./market.ts";
import { report } from "./nodeReports.ts";

describe("workspace: funds for one of two leases", function () {
  this.timeout(60_000);
  let market: TestMarket;
  let service: TestContext;
  const leases: LeaseRef[] = [];

  before(async () => {
    market = await openMarket();
    const authorizationId = await fund(market.chain, 1_000_000n);
    const nodeId = await addNode(market.chain, "one");
    for (let count = 0; count < 2; count += 1) {
      const ref = await assign(market.chain, await publish(market.chain, { authorizationId }), {
        nodeId,
        start: true,
      });
      await report(market.chain, "one", ref, "running");
      leases.push(ref);
    }
    await market.exported();
    const folder = join(await testStateDir(), "funds");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "deployment.json");
    writeFileSync(file, toJson(market.chain.deployment));
    service = createTestContext("workspace");
    const settings = {
      CHAIN_RPC_URLS: market.chain.url,
      DEPLOYMENT_FILE: file,
      REDIS_URL: market.redisUrl,
      DATABASE_URL: market.urlAs("ngpu_workspace"),
      SIGNER_KEY: privateKeyOf("workspace"),
    };
    await startWorkspace(readWorkspaceEnv({ ...settings, SWEEP_SECONDS: "0.2" }), service);
  });

  after(async () => {
    await service.stop();
    await market.stop();
  });

  it("settles a fully paid lease again as a separate step", async () => {
    // Funds for 1,000,000 s of one lease: the one settled first is paid, the other one is closed.
    await market.chain.pass(600_000);
    const over = await eventually("one is over", async () => {
      const { rows } = await market.pool.query<{ id: bigint }>(
        "select workspace_id as id from chain.assignment where release_reason = 'unfunded'",
      );
      return rows[0]?.id;
    });
    const paid = leases.find(({ workspaceId }) => workspaceId !== BigInt(over));
    if (paid === undefined) throw new Error("There are two leases.");
    await market.chain.pass(500_000);
    await untilLease(market, paid, { state: "released", release_reason: "unfunded" });
    const { rows } = await market.pool.query<{ attempt: number; refusal: string | null }>(
      "select attempt, refusal from app.step where workspace_id = $1 and key like 'settle:%'",
      [paid.workspaceId],
    );
    const settled = { attempt: 1, refusal: null };
    expect(rows).to.deep.equal([settled, settled]);
  });
});
