import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  resultHashOf,
  type TaskReceipt,
  taskHashOf,
  taskReceiptTreeOf,
} from "@ngpu/protocol/taskReceiptTree";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import { concatHex, type Hex, pad, toHex } from "viem";
import { verifyReceipt } from "../../cli/audit/verifyReceipt.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { at, type Placed } from "./recordedMarket.ts";
import { verified } from "./runVerify.ts";

const id = "7f1e2c1e-7c1b-4c57-9d52-9a3f3e8a2b11";
const payer = pad("0xa11ce", { size: 20 });
const result = { status: 200, body: { answer: "42" } };
const task = { status: "succeeded", result };
const receipt: TaskReceipt = {
  taskHash: taskHashOf(id),
  payer,
  nodeId: 3,
  workspaceId: 7n,
  replica: 1,
  lease: 2,
  finishedAt: 1_700_000_100_000n,
  durationMs: 1_500,
  succeeded: true,
  amount: 15n,
  resultHash: resultHashOf(id, result),
};
const others = [4n, 5n].map((amount) => ({ ...receipt, taskHash: pad(toHex(amount)), amount }));
const tree = taskReceiptTreeOf([receipt, ...others]);
const proof = tree.proofOf(0);

const leaseTotal = (amount: bigint, nodeId = 3) =>
  toHex((BigInt(nodeId) << 224n) | (7n << 160n) | (1n << 144n) | (2n << 112n) | amount, { size: 32 });
const payerTotal = (amount: bigint) => concatHex([payer, toHex(amount, { size: 12 })]);
const committed = (leaseTotals: Hex[], payerTotals: Hex[]) =>
  at(9, "Pomc", "ReceiptsCommitted", { number: 1n, root: tree.root, total: 24n, leaseTotals, payerTotals });
const authorized = (owner: Hex) =>
  at(1, "Escrow", "Authorized", {
    authorizationId: 9n,
    owner,
    delegate: payer,
    maxRate: 9n,
    daily: 10n ** 9n,
    total: 10n ** 9n,
    scope: pad("0x"),
    expiry: 2 ** 39,
  });
const opened = (nodeId: number) =>
  at(2, "Escrow", "LeaseOpened", {
    workspaceId: 7n,
    nodeId,
    replica: 1,
    lease: 2,
    authorizationId: 9n,
    rate: 10n,
    lock: 50n,
  });
const honest = [authorized(payer), opened(3), committed([leaseTotal(24n)], [payerTotal(24n)])];

describe("verify receipt, from files and an RPC endpoint alone", () => {
  const folder = temporaryDir();
  after(() => folder[Symbol.dispose]());

  const check = (logs: Placed[], stated: object = {}, changedTask: object = task) => {
    const [receiptFile, taskFile] = [join(folder.path, "receipt.json"), join(folder.path, "task.json")];
    writeFileSync(
      receiptFile,
      toJson({ receipt: { ...receipt, ...stated }, batch: 1n, proof, ...pickProof(stated) }),
    );
    writeFileSync(taskFile, toJson(changedTask));
    return verified(logs, verifyReceipt, id, { receipt: receiptFile, task: taskFile });
  };
  const pickProof = (stated: object) =>
    Object.fromEntries(Object.entries(stated).filter(([name]) => name === "proof" || name === "batch"));
  const failedOf = ({ output }: { output: Record<string, unknown> }) =>
    Object.entries(output.checks as Record<string, boolean>).flatMap(([name, passed]) =>
      passed ? [] : [name],
    );

  it("accepts an honest receipt", async () => {
    const checked = await check(honest);
    expect([checked.code, failedOf(checked)]).to.deep.equal([0, []]);
    expect(checked.text).to.include(`Batch 1 has root ${tree.root} on the chain.`);
  });

  it("finds another byte anywhere in the receipt, its proof or the task's result", async () => {
    const [sibling = "0x", ...rest] = proof;
    const flipped = `${sibling.slice(0, -1)}${sibling.endsWith("0") ? "1" : "0"}`;
    const lies: [object, string[]][] = [
      [{ amount: 14n }, ["proof"]],
      [{ durationMs: 1_501 }, ["proof"]],
      [{ finishedAt: receipt.finishedAt + 1n }, ["proof"]],
      [{ succeeded: false }, ["status", "proof"]],
      [{ resultHash: pad("0x1") }, ["result", "proof"]],
      [{ taskHash: pad("0x1") }, ["task", "proof"]],
      [{ nodeId: 4 }, ["proof", "lease", "totals"]],
      [{ payer: pad("0xbad", { size: 20 }) }, ["proof", "payer", "totals"]],
      [{ proof: [flipped, ...rest] }, ["proof"]],
      [{ batch: 2n }, ["proof", "totals"]],
    ];
    for (const [lie, failed] of lies) {
      const checked = await check(honest, lie);
      expect([checked.code, failedOf(checked)], Object.keys(lie).join()).to.deep.equal([2, failed]);
    }
    const other = await check(honest, {}, { ...task, result: { ...result, body: { answer: "43" } } });
    expect([other.code, failedOf(other)]).to.deep.equal([2, ["result"]]);
  });

  it("finds a lease of another node or payer, and totals below the receipt, under an honest root", async () => {
    const [granted, lease, batch] = honest as [Placed, Placed, Placed];
    const lies: [Placed[], string[]][] = [
      [[granted, opened(4), batch], ["lease"]],
      [[authorized(pad("0xb0b", { size: 20 })), lease, batch], ["payer"]],
      [[granted, lease, committed([leaseTotal(14n)], [payerTotal(24n)])], ["totals"]],
      [[granted, lease, committed([leaseTotal(24n, 4)], [payerTotal(24n)])], ["totals"]],
      [[granted, lease, committed([leaseTotal(24n)], [payerTotal(14n)])], ["totals"]],
    ];
    for (const [logs, failed] of lies) {
      const checked = await check(logs);
      expect([checked.code, failedOf(checked)]).to.deep.equal([2, failed]);
    }
  });

  it("refuses a file that holds no receipt, and what is no task", async () => {
    const file = join(folder.path, "other.json");
    writeFileSync(file, "{}");
    const codeOf = (name: string) =>
      verified(honest, verifyReceipt, name, { receipt: file }).catch(({ code }: { code: string }) => code);
    expect(await codeOf(id)).to.equal("file_invalid");
    expect(await codeOf("7")).to.equal("task_id_invalid");
  });
});
