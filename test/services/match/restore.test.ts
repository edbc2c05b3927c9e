import { rootSignerOf } from "@ngpu/protocol/heartbeatAck";
import { nodesOfWord } from "@ngpu/protocol/heartbeatWords";
import { areUnderRoot, type ProvenWords } from "@ngpu/protocol/heartbeatWordTree";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import type { Hex } from "viem";
import { type RestoreOptions, startRestore } from "../../../services/match/presence/restore.ts";
import { eventually } from "../support/context.ts";
import { accounts, bitsOf, deployment, openSlotBed, type SlotBed, slotBefore } from "./slotBed.ts";

type Dispute = ProvenWords & { slot: bigint; signature: Hex };
type Sent = { kind: string; functionName: string; args: [Dispute[]] };

describe("match: restoring slots from acknowledgements", function () {
  this.timeout(120_000);
  let bed: SlotBed;
  let sent: Sent[];

  before(async () => {
    bed = await openSlotBed("ngpu_match");
  });
  beforeEach(() => {
    sent = [];
  });
  afterEach(() => bed.clear());
  after(() => bed.close());

  const start = (answer: () => Promise<{ hash: Hex }> = async () => ({ hash: "0x" })) => {
    // One that is still ending sends nothing into the next test.
    const calls = sent;
    const send = (call: Sent) => {
      calls.push(call);
      return answer();
    };
    const metrics = { slotsRestored: { inc: () => {} } };
    return bed.start<RestoreOptions>(startRestore, { metrics, sender: { send } });
  };
  const sentFor = (slot: bigint) => sent.flatMap(({ args }) => args[0].filter((one) => one.slot === slot));
  const disputed = (slot: bigint, times = 1) =>
    eventually(
      `slot ${slot} is disputed`,
      () => {
        const disputes = sentFor(slot);
        return disputes.length >= times && disputes;
      },
      60_000,
    );
  const nodesOf = ({ words }: ProvenWords) => words.flatMap(nodesOfWord).sort((a, b) => a - b);

  it("disputes in one transaction what a lying committer left out, by words that the acknowledger signed", async () => {
    const slot = slotBefore(2);
    const root = await bed.hear(slot, [1, 2, 300, 700]);
    // The same nodes, and one more: only that is disputed again.
    await bed.hear(slot, [1, 2, 900], accounts.signer, "b");
    await bed.commit(slot, bitsOf(1_000, [1, 2]));
    start();
    const [first, second] = await disputed(slot, 2);
    expect(sent).to.have.length(1);
    expect(sent[0]).to.include({ kind: "heartbeats.restore", functionName: "disputeHeartbeats" });
    if (first === undefined || second === undefined) throw new Error("Two were waited for.");
    expect([nodesOf(first), nodesOf(second)]).to.deep.equal([[300, 700], [900]]);
    expect(areUnderRoot(root, first)).to.equal(true);
    const { signature } = first;
    expect(await rootSignerOf(deployment, { slot, root, signature })).to.equal(accounts.signer.address);
  });

  it("sends nothing for a slot that is whole, or whose acknowledgements another account signed", async () => {
    const [whole, strange, last] = [slotBefore(4), slotBefore(3), slotBefore(2)];
    await bed.hear(whole, [1, 2]);
    await bed.commit(whole, bitsOf(3, [1, 2, 3]));
    await bed.hear(strange, [1], accounts.other);
    await bed.commit(strange, bitsOf(3, []));
    await bed.hear(last, [1]);
    await bed.commit(last, bitsOf(3, []));
    start();
    // Slots are compared in their order.
    await disputed(last);
    expect(sent).to.have.length(1);
  });

  it("restores a slot that nobody committed, once it is too old to be committed", async () => {
    const [young, old] = [slotBefore(2), slotBefore(9)];
    for (const slot of [young, old]) await bed.hear(slot, [1, 2]);
    start();
    const [dispute] = await disputed(old);
    expect(dispute && nodesOf(dispute)).to.deep.equal([1, 2]);
    expect(sentFor(young)).to.deep.equal([]);
  });

  it("sends once from two instances, again after a kill in the middle, and no more once the chain has it", async () => {
    const slot = slotBefore(3);
    await bed.hear(slot, [1, 2]);
    await bed.commit(slot, bitsOf(2, []));
    const pending = () => new Promise<never>(() => {});
    const killed = [start(pending), start(pending)];
    await disputed(slot);
    // Killed before the transaction is known: another process compares the slot again.
    for (const one of killed) await one.stop();
    expect(sent).to.have.length(1);
    await bed.chain.query("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'");
    const next = start();
    await disputed(slot, 2);
    await next.stop();
    await bed.dispute(slot, [1, 2]);
    const after = slotBefore(2);
    await bed.hear(after, [1]);
    await bed.commit(after, bitsOf(2, []));
    start();
    await disputed(after);
    expect(sentFor(slot)).to.have.length(2);
  });

  it("compares a slot again when a reorg replaces its commit or takes its dispute, or an acknowledgement comes later", async () => {
    const [committed, corrected, late, marker] = [5, 4, 3, 2].map(slotBefore) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    for (const slot of [committed, corrected, late]) await bed.hear(slot, [1, 2]);
    await bed.commit(committed, bitsOf(3, [1, 2]));
    await bed.commit(corrected, bitsOf(3, [1]));
    await bed.dispute(corrected, [2]);
    await bed.commit(late, bitsOf(3, [1, 2]));
    await bed.hear(marker, [1]);
    await bed.commit(marker, bitsOf(3, []));
    start();
    await disputed(marker);
    expect(sent).to.have.length(1);

    await bed.chain.query("delete from chain.heartbeat_slot where slot = $1", [committed]);
    await bed.commit(committed, bitsOf(3, [1]));
    await bed.chain.query("delete from chain.event_heartbeats_disputed where slot = $1", [corrected]);
    await bed.hear(late, [3], accounts.signer, "b");
    for (const [slot, nodes] of [
      [committed, [1, 2]],
      [corrected, [1, 2]],
      [late, [3]],
    ] as const) {
      // A word is disputed whole.
      const [dispute] = await disputed(slot);
      expect(dispute && nodesOf(dispute)).to.deep.equal(nodes);
    }
  });

  it("compares a slot again when the account that signed its acknowledgement becomes an acknowledger", async () => {
    const [early, marker] = [slotBefore(3), slotBefore(2)];
    await bed.hear(early, [1], accounts.other);
    await bed.commit(early, bitsOf(3, []));
    await bed.hear(marker, [1]);
    await bed.commit(marker, bitsOf(3, []));
    start();
    await disputed(marker);
    expect(sentFor(early)).to.deep.equal([]);
    await bed.permit(accounts.other, true);
    await disputed(early);
    await bed.permit(accounts.other, false);
  });

  it("goes on with other slots when the chain rejects a dispute", async () => {
    const [rejected, next] = [slotBefore(3), slotBefore(2)];
    for (const slot of [rejected, next]) {
      await bed.hear(slot, [1]);
      await bed.commit(slot, bitsOf(2, []));
    }
    start(async () => {
      if (sent.length > 1) return { hash: "0x" };
      throw new FatalError("The transaction was reverted.", { code: "transaction_reverted", hint: "None." });
    });
    await disputed(next);
    expect(sentFor(rejected)).to.have.length(1);
    expect(bed.events().map(({ event }) => event)).to.include("slot_not_restored");
  });
});
