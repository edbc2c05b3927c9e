import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { apart } from "../bytes/processes.ts";
import { echo } from "../gateway/node.ts";
import { eventually } from "../support/context.ts";
import type { Client } from "./client.ts";
import { join, runWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

describe("apiServer: calls of tasks", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client;
  let workspaceId: string;
  let pid = 0;
  before(async function () {
    this.timeout(300_000);
    api = await setup({
      startApi: async (env) => {
        const running = await apart.startApi(env);
        pid = running.pid;
        return running;
      },
    });
    const nodeId = await api.addServingNode("one", echo("one"));
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey())));
    workspaceId = (await runWorkspace(api, partner, { name: "one", nodeId })).id;
    await eventually("a route", async () => (await runTask()).status === 200);
  });
  after(() => api?.stop());

  const runTask = () => partner.post<{ id: string; status: string }>("/v1/tasks", { workspaceId, path: "/" });

  /** Runs tasks, eight at a time, until `isDone`. @returns the ids of those that were answered as succeeded. */
  async function runMany(isDone: (answered: number) => boolean): Promise<string[]> {
    const ids: string[] = [];
    const runOne = async () => {
      while (!isDone(ids.length)) {
        const { status, body } = await runTask();
        if (status !== 200) return;
        expect(body.status).to.equal("succeeded");
        ids.push(body.id);
      }
    };
    // A connection of the killed process breaks.
    await Promise.allSettled(Array.from({ length: 8 }, runOne));
    return ids;
  }

  it("store each task once, with its node and its end", async () => {
    const ids = await runMany((answered) => answered >= 200);
    const { rows } = await api.db.query<{ status: string; ends: string }>(
      `select status, count(*) as ends from app.task
       where id = any($1::uuid[]) and node_id is not null and result_hash is not null and finished_at >= created_at
         and duration_ms is not null group by status`,
      [ids],
    );
    expect(rows).to.deep.equal([{ status: "succeeded", ends: BigInt(ids.length) }]);
  });

  it("stop with a key that is revoked elsewhere, however often it is used", async () => {
    const made = await partner.post<{ id: string; apiKey: string }>("/v1/keys", { name: "test" });
    const other = api.client.withKey(made.body.apiKey);
    for (let calls = 0; calls < 200; calls++) expect((await other.get("/v1/keys")).status).to.equal(200);
    await api.db.query("update app.api_key set revoked_at = now() where id = $1", [made.body.id]);
    await eventually("the refusal", async () => (await other.get("/v1/keys")).status === 401);
    expect((await other.get("/v1/keys")).status).to.equal(401);
  });

  it("lose no task that was answered when the process is killed", async () => {
    const kill = { sent: false };
    const ids = await runMany((answered) => {
      if (answered >= 100 && !kill.sent) {
        kill.sent = true;
        process.kill(pid, "SIGKILL");
      }
      return answered >= 2_000;
    });
    expect(ids.length).to.be.within(100, 1_999);
    const { rows } = await api.db.query<{ count: bigint }>(
      "select count(*) from app.task where id = any($1::uuid[]) and status = 'succeeded'",
      [ids],
    );
    expect(rows[0]?.count).to.equal(BigInt(ids.length));
  });
});
