import { expect } from "chai";
import pg from "pg";
import { rpc } from "../../support/rpc.ts";
import { eventually } from "../support/context.ts";
import { type Bed, openBed } from "./bed.ts";
import type { Model } from "./model.ts";
import {
  countActs,
  createOwner,
  gotWhileStopped,
  type Owner,
  observe,
  orderFirmly,
  paidSeconds,
  request,
  settled,
} from "./owner.ts";

describe("orders of a workspace, with real services", function () {
  this.timeout(240_000);
  let bed: Bed;
  let owner: Owner;
  before(async () => {
    bed = await openBed();
  });
  beforeEach(async () => {
    owner = await createOwner(bed);
  });
  afterEach(() => bed.nodes.pause(false));
  after(() => bed.stop());

  const open = (replicas: number): Model => ({ state: "open", replicas, version: 0, funds: "paid" });
  const running = async (replicas: number, expiresAt?: string) => {
    const id = await owner.publish({ replicas, ...(expiresAt === undefined ? {} : { expiresAt }) });
    await settled(bed, id, [open(replicas)]);
    return id;
  };
  const accepted = async (id: string, order: Parameters<typeof request>[2]) =>
    expect(await request(owner.partner, id, order)).to.deep.equal({ accepted: true, sent: true });

  it("a stop in the middle of a rolling update stops what runs, and the update continues after the start", async () => {
    const id = await running(2);
    bed.nodes.pause(true);
    await accepted(id, { type: "update", version: 1 });
    await eventually("the first replica is replaced", async () =>
      (await observe(bed, id)).leases.some((lease) => !lease.mayRun),
    );
    await accepted(id, { type: "stop" });
    bed.nodes.pause(false);
    const stopped: Model = { ...open(2), state: "stopped", version: 1 };
    await settled(bed, id, [stopped]);
    expect(await gotWhileStopped(bed, id)).to.equal(0);
    await accepted(id, { type: "start" });
    await settled(bed, id, [{ ...stopped, state: "open" }]);
    expect(await gotWhileStopped(bed, id)).to.equal(0);
  });

  it("an authorization that is revoked in the middle of a scale ends it, and later orders say so", async () => {
    const id = await running(1);
    await bed.kill("dispense");
    await accepted(id, { type: "scale", replicas: 3 });
    await owner.revoke();
    await bed.start("dispense");
    const refusal = await eventually("the refusal", async () => {
      const { rows } = await bed.market.pool.query<{ refusal: string }>(
        "select refusal from app.placement where workspace_id = $1 and refusal is not null",
        [id],
      );
      return rows[0]?.refusal;
    });
    expect(refusal).to.match(/^AuthorizationIsRevoked/);
    await settled(bed, id, [{ ...open(3), funds: "revoked" }]);
    expect((await observe(bed, id)).leases).to.have.length(1);
    for (const type of ["stop", "delete"] as const) {
      const answer = await request(owner.partner, id, { type });
      expect(answer).to.deep.equal({ accepted: false, code: "authorization_ended" });
    }
  });

  it("a workspace that runs dry during an update ends without a lease", async () => {
    const id = await running(2);
    bed.nodes.pause(true);
    await accepted(id, { type: "update", version: 1 });
    await bed.chain.pass(paidSeconds);
    bed.nodes.pause(false);
    await settled(bed, id, [{ ...open(2), version: 1, funds: "dry" }]);
  });

  it("a stopped workspace that expires is closed, and its start is refused", async () => {
    const { timestamp } = await bed.chain.client.getBlock();
    const id = await running(1, new Date((Number(timestamp) + 86_400) * 1_000).toISOString());
    await accepted(id, { type: "stop" });
    await settled(bed, id, [{ ...open(1), state: "stopped" }]);
    await bed.chain.pass(90_000);
    await settled(bed, id, [{ ...open(1), state: "closed" }]);
    const answer = await request(owner.partner, id, { type: "start" });
    expect(answer).to.deep.equal({ accepted: false, code: "workspace_closed" });
  });

  it("of two clients' orders at once each is accepted or told to repeat, and the later one holds", async () => {
    const id = await running(1);
    const other = owner.partner.withKey(await secondKey());
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all([
        request(owner.partner, id, { type: "stop" }),
        request(other, id, { type: "start" }),
        request(other, id, { type: "scale", replicas: 1 + (round % 2) }),
      ]);
      for (const answer of answers) if (!answer.accepted) expect(answer.code).to.equal("order_in_progress");
      expect(answers.some((answer) => answer.accepted)).to.equal(true);
    }
    await orderFirmly(owner.partner, id, { type: "scale", replicas: 2 });
    await orderFirmly(other, id, { type: "stop" });
    await settled(bed, id, [{ ...open(2), state: "stopped" }]);
    const deletions = await Promise.all([
      orderFirmly(owner.partner, id, { type: "delete" }),
      orderFirmly(other, id, { type: "delete" }),
    ]);
    expect(deletions.map((answer) => answer.accepted)).to.deep.equal([true, true]);
    expect(await request(other, id, { type: "delete" })).to.deep.equal({ accepted: true, sent: false });
    await settled(bed, id, [{ ...open(2), state: "closed" }]);
    expect(await gotWhileStopped(bed, id)).to.equal(0);
  });

  it("values that are already so send nothing and restart nothing", async () => {
    const id = await running(2);
    const before = await countActs(bed, id);
    const same = [{ type: "start" }, { type: "scale", replicas: 2 }, { type: "update", version: 0 }] as const;
    for (const order of same) {
      expect(await request(owner.partner, id, order)).to.deep.equal({ accepted: true, sent: false });
    }
    await running(1);
    expect(await countActs(bed, id)).to.equal(before);
  });

  it("a server killed between claim and transaction leaves nothing that blocks the next order", async () => {
    const id = await running(1);
    // Holds the server where it allocates the transaction's nonce.
    const lock = new pg.Client({ connectionString: bed.market.urlAs("ngpu_api") });
    await lock.connect();
    await lock.query("begin");
    await lock.query("select from app.signer for update");
    const broken = request(owner.partner, id, { type: "stop" }).catch((error: unknown) => error);
    await eventually("the claim", async () => (await runnerOf(id)) !== null);
    await bed.kill("apiServer");
    expect(await broken).to.be.instanceOf(TypeError);
    await lock.query("rollback");
    await lock.end();
    expect(await runnerOf(id)).to.not.equal(null);
    await bed.start("apiServer");
    await accepted(id, { type: "scale", replicas: 2 });
    await settled(bed, id, [open(2)]);
  });

  it("an order after one whose server was killed waits until that one is mined, and holds", async () => {
    const id = await running(1);
    const before = await pendingOf("api.stopWorkspace");
    await rpc(bed.chain.url, "evm_setAutomine", [false]);
    try {
      const broken = request(owner.partner, id, { type: "stop" }).catch((error: unknown) => error);
      await eventually("the transaction", async () => (await pendingOf("api.stopWorkspace")) > before);
      await bed.kill("apiServer");
      expect(await broken).to.be.instanceOf(TypeError);
      await bed.start("apiServer");
      const answer = request(owner.partner, id, { type: "start" });
      await eventually("the next claim", async () => (await runnerOf(id)) !== null);
      await rpc(bed.chain.url, "evm_setAutomine", [true]);
      await rpc(bed.chain.url, "evm_mine", []);
      expect(await answer).to.deep.equal({ accepted: true, sent: true });
    } finally {
      await rpc(bed.chain.url, "evm_setAutomine", [true]);
    }
    await settled(bed, id, [open(1)]);
  });

  async function secondKey(): Promise<string> {
    const { body } = await owner.partner.post<{ apiKey: string }>("/v1/keys", { name: "second" });
    return body.apiKey;
  }

  async function runnerOf(id: string): Promise<bigint | null> {
    const { rows } = await bed.market.pool.query<{ runner: bigint | null }>(
      "select runner from app.workspace_order where workspace_id = $1",
      [id],
    );
    return rows[0]?.runner ?? null;
  }

  async function pendingOf(kind: string): Promise<number> {
    const { rows } = await bed.market.pool.query<{ count: number }>(
      "select count(*)::int from app.transaction where kind = $1",
      [kind],
    );
    return rows[0]?.count ?? 0;
  }
});
