import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectRedis } from "@ngpu/db/queue";
import { readDispenseEnv } from "@ngpu/dispense/env";
import { toJson } from "@ngpu/runtime/json";
import { readWorkspaceEnv } from "@ngpu/workspace/env";
import { expect } from "chai";
import type { Redis } from "ioredis";
import { startDispense } from "../../services/dispense/dispense.ts";
import { startWorkspace } from "../../services/workspace/workspace.ts";
import { testStateDir } from "../support/parts.ts";
import { type Client, signIn } from "./apiServer/client.ts";
import { newWorkspace } from "./apiServer/partner.ts";
import { type ApiMarket, setup } from "./apiServer/setup.ts";
import { answerPlacements } from "./dispense/match.ts";
import { createTestContext, type TestContext } from "./support/context.ts";
import { accounts, freshChain, privateKeyOf, type TestChain } from "./workspace/chain.ts";
import { addNode, assign, fund, type LeaseRef, type Published, publish } from "./workspace/chainActions.ts";
import { replaceContracts } from "./workspace/generations.ts";
import { untilLease } from "./workspace/market.ts";
import { report } from "./workspace/nodeReports.ts";

const wide = 2n ** 40n;

describe("contracts replaced while a lease runs", function () {
  this.timeout(120_000);
  let previous: TestChain;
  let present: TestChain;
  let api: ApiMarket;
  let owner: Client;
  let services: TestContext[];
  let redis: Redis;
  let stopMatch: () => Promise<void>;
  let old: Published;
  let running: LeaseRef;
  let unattended: LeaseRef;

  before(async () => {
    previous = await freshChain();
    const previousAuthorization = await fund(previous, 1_000_000n, accounts.workspace.address);
    const nodeId = await addNode(previous, "big", 40);
    old = await publish(previous, { authorizationId: previousAuthorization, replicas: 2 });
    running = await assign(previous, old, { nodeId, start: true });
    const other = await publish(previous, { authorizationId: previousAuthorization });
    unattended = await assign(previous, other, { nodeId, start: true });
    for (const lease of [running, unattended]) await report(previous, "big", lease, "running");
    present = await replaceContracts(previous, "market");
    api = await setup({ chain: present });
    await api.market.exported();
    owner = await signIn(api.client, accounts.owner);
    redis = connectRedis(api.market.redisUrl);
    stopMatch = answerPlacements(api.market, redis, () => nodeId);
    services = [createTestContext("workspace"), createTestContext("dispense")];
    const [workspace, dispense] = services as [TestContext, TestContext];
    await startWorkspace(readWorkspaceEnv(await settings("workspace")), workspace);
    await startDispense(readDispenseEnv(await settings("dispense")), dispense);
  });

  after(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await stopMatch();
    redis.disconnect();
    await api.stop();
  });

  const settings = async (name: "workspace" | "dispense") => {
    const folder = join(await testStateDir(), "generations");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "deployment.json");
    writeFileSync(file, toJson(present.deployment));
    return {
      CHAIN_RPC_URLS: present.url,
      DEPLOYMENT_FILE: file,
      REDIS_URL: api.market.redisUrl,
      DATABASE_URL: api.market.urlAs(`ngpu_${name}`),
      SIGNER_KEY: privateKeyOf(name),
      SWEEP_SECONDS: "0.2",
    };
  };

  /** The generations of the contracts with an event of a workspace. */
  const generationsOf = async (event: string, workspaceId: bigint) => {
    const { rows } = await api.db.query<{ generation: number }>(
      `select distinct generation from chain.event_${event} where workspace_id = $1 order by generation`,
      [workspaceId],
    );
    return rows.map(({ generation }) => generation);
  };

  it("sends the owner's orders for the old lease to its own contract", async () => {
    const id = String(old.workspaceId);
    const stopped = await owner.post<{ refusals: unknown[] }>(`/v1/workspaces/${id}/stop`);
    expect([stopped.status, stopped.body.refusals]).to.deep.equal([200, []]);
    await untilLease(api.market, running, { desired: "stop" });
    await report(previous, "big", running, "stopped");
    await api.market.exported();
    expect((await owner.post(`/v1/workspaces/${id}/start`)).status).to.equal(200);
    await untilLease(api.market, running, { desired: "run" });
    await report(previous, "big", running, "running");
    expect(await generationsOf("stop_requested", old.workspaceId)).to.deep.equal([1]);
  });

  it("publishes only under an authorization of the new escrow", async () => {
    const refused = await owner.post<{ code: string }>("/v1/workspaces", newWorkspace);
    expect([refused.status, refused.body.code]).to.deep.equal([409, "authorization_missing"]);
    await authorizeApi();
    const { status, body } = await owner.post<{ id: string }>("/v1/workspaces", newWorkspace);
    expect(status, JSON.stringify(body)).to.equal(201);
    expect(BigInt(body.id)).to.equal(wide + 1n);
    // The second replica of the old workspace is placed too, each replica at its own contract.
    const next = { workspaceId: BigInt(body.id), replica: 0, lease: 1 };
    await untilLease(api.market, next, { desired: "run" });
    await untilLease(api.market, { ...running, replica: 1 }, { desired: "run" });
    await report(present, "big", next, "ready");
    await report(present, "big", next, "running");
    await untilLease(api.market, next, { state: "running" });
    expect(await generationsOf("assigned", next.workspaceId)).to.deep.equal([2]);
    expect(await generationsOf("assigned", old.workspaceId)).to.deep.equal([1]);
  });

  it("scales the old workspace and deletes its replica at its own contract", async () => {
    const id = String(old.workspaceId);
    const scaled = await owner.post<{ scaled: string }>(`/v1/workspaces/${id}/update`, { replicas: 1 });
    expect([scaled.status, typeof scaled.body.scaled]).to.deep.equal([200, "string"]);
    const second = { ...running, replica: 1 };
    await untilLease(api.market, second, { desired: "delete" });
    await report(previous, "big", second, "deleted");
    await untilLease(api.market, second, { state: "released" });
    expect(await generationsOf("replicas_set", old.workspaceId)).to.deep.equal([1]);
  });

  it("closes the old workspace at its own contract and ends its lease", async () => {
    // Either the API or workspace may order the end of the lease first.
    expect((await owner.delete(`/v1/workspaces/${old.workspaceId}`)).status).to.equal(200);
    await untilLease(api.market, running, { desired: "delete" });
    await report(previous, "big", running, "deleted");
    await untilLease(api.market, running, { state: "released" });
    expect(await generationsOf("workspace_closed", old.workspaceId)).to.deep.equal([1]);
  });

  it("settles and releases each lease at its own contracts when its deposit there is used up", async () => {
    const next = { workspaceId: wide + 1n, replica: 0, lease: 1 };
    await present.pass(1_100_000);
    for (const lease of [unattended, next]) {
      await untilLease(api.market, lease, { state: "released", release_reason: "unfunded" });
    }
    expect(await generationsOf("settled", unattended.workspaceId)).to.deep.equal([1]);
    expect(await generationsOf("settled", next.workspaceId)).to.deep.equal([2]);
  });

  /** Funds the owner's leases at the current escrow for as long as those at the old one, and authorizes the API. */
  async function authorizeApi(): Promise<void> {
    const id = await fund(present, 1_000_000n, accounts.workspace.address);
    expect(id).to.equal(wide + 1n);
    await api.market.exported();
  }
});
