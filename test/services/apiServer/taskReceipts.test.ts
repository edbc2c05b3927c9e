import { execFile } from "node:child_process";
import { join as joinPath } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { rootDir } from "../../support/parts.ts";
import { echo } from "../gateway/node.ts";
import { insertRow } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";
import { type Client, signIn } from "./client.ts";
import { join, runWorkspace } from "./partner.ts";
import { untilReceiptOf } from "./receipts.ts";
import { type ApiMarket, setup } from "./setup.ts";

type TaskReceipt = {
  receipt: { amount: string; durationMs: number; nodeId: number; payer: string; succeeded: boolean };
  batch: string;
  root: string;
  proof: string[];
};
type Fault = { code: string };

const run = promisify(execFile);

describe("apiServer: task receipts", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client;
  let workspaceId: string;
  let nodeId: number;
  const wallet = privateKeyToAccount(generatePrivateKey());
  before(async () => {
    api = await setup();
    ({ partner } = await join(api, wallet));
    nodeId = await api.addServingNode("one", echo("container"));
    ({ id: workspaceId } = await runWorkspace(api, partner, { name: "one", nodeId }));
    await eventually("the gateway knows the replica", async () => {
      const answer = await partner.post("/v1/tasks", { workspaceId, path: "/", method: "GET" });
      return answer.status === 200;
    });
  });
  after(() => api?.stop());

  const untilReceipt = (id: string) => untilReceiptOf<TaskReceipt>(api, partner, id);

  const verify = async (id: string, key: string) => {
    const cli = joinPath(rootDir, "cli/index.ts");
    const args = [cli, "verify", "receipt", id, "--api", api.url, "--key", key, "--json"];
    const { stdout } = await run(process.execPath, args).catch((error: { stdout: string }) => error);
    return JSON.parse(stdout) as { holds: boolean; checks: Record<string, boolean> };
  };

  it("are included in a root on the chain, add up to the settled amount, and can be verified by anyone with the task", async () => {
    const { body: task } = await partner.post<{ id: string; ms: number }>("/v1/tasks", {
      workspaceId,
      path: "/do",
      input: { a: 1 },
    });
    const pending = await partner.get<Fault>(`/v1/tasks/${task.id}/receipt`);
    expect([pending.status, pending.body.code]).to.deep.equal([404, "receipt_pending"]);
    const hasReceipt = async () =>
      (await partner.get<{ hasReceipt: boolean }>(`/v1/tasks/${task.id}`)).body.hasReceipt;
    expect(await hasReceipt()).to.equal(false);
    const { receipt } = await untilReceipt(task.id);
    expect(await hasReceipt()).to.equal(true);
    expect(receipt).to.deep.include({ nodeId, payer: wallet.address.toLowerCase(), succeeded: true });
    expect(BigInt(receipt.amount)).to.equal((1_000n * BigInt(task.ms)) / 1_000n);
    const { rows } = await api.db.query<{ settled: bigint; receipts: bigint }>(
      `select settled, (select sum(amount) from app.receipt)::numeric as receipts from chain.escrow_account
       where account = $1`,
      [wallet.address.toLowerCase()],
    );
    expect((rows[0]?.receipts ?? 0n) <= (rows[0]?.settled ?? 0n)).to.equal(true);

    const { body: key } = await partner.post<{ apiKey: string }>("/v1/keys", { name: "verifier" });
    expect(await verify(task.id, key.apiKey)).to.deep.include({
      holds: true,
      checks: {
        task: true,
        result: true,
        status: true,
        proof: true,
        lease: true,
        payer: true,
        totals: true,
      },
    });
    await api.db.query("update app.receipt set amount = amount + 1 where task_id = $1", [task.id]);
    const { holds, checks } = await verify(task.id, key.apiKey);
    expect(holds).to.equal(false);
    expect(checks).to.include({
      task: true,
      result: true,
      status: true,
      proof: false,
      lease: true,
      payer: true,
    });
  });

  it("match a balance history that includes refunds", async () => {
    const { rows } = await api.db.query<{ number: bigint; hash: string }>(
      "select number, hash from chain.head where tier = 'unsafe'",
    );
    await insertRow(api.db, "chain.event_refunded", {
      block_number: rows[0]?.number,
      block_hash: rows[0]?.hash,
      block_time: new Date(),
      tx_hash: "0x07",
      log_index: 9_999,
      workspace_id: workspaceId,
      node_id: nodeId,
      replica: 0,
      lease: 1,
      owner: wallet.address.toLowerCase(),
      day: 20_000,
      down_seconds: 60,
      amount: 60_000,
    });
    type Change = { kind: string; amount: string; downSeconds: number | null };
    const { body } = await partner.get<{ changes: Change[]; next: string | null }>(
      "/v1/account/history?limit=2",
    );
    expect(body.changes[0]).to.deep.include({
      kind: "refund",
      amount: "60000",
      downSeconds: 60,
      day: "20000",
    });
    expect(body.changes[1]).to.deep.include({ kind: "settlement", workspaceId, replica: 0, lease: 1 });
    const kinds: string[] = [];
    for (let { next } = body; next !== null; ) {
      const page = await partner.get<typeof body>(`/v1/account/history?limit=2&after=${next}`);
      kinds.push(...page.body.changes.map(({ kind }) => kind));
      next = page.body.next;
    }
    expect(kinds.at(-1)).to.equal("deposit");
    expect(kinds).to.not.include("refund");
  });

  it("are visible only to the task's owner", async () => {
    const { body: task } = await partner.post<{ id: string }>("/v1/tasks", { workspaceId, path: "/do" });
    const other = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
    const { status, body } = await other.get<Fault>(`/v1/tasks/${task.id}/receipt`);
    expect([status, body.code]).to.deep.equal([404, "task_not_found"]);
  });
});
