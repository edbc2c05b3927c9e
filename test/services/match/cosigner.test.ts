import { domainOf } from "@ngpu/contracts-sdk/typedData";
import { decodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { cosignTypes } from "@ngpu/protocol/heartbeatCosign";
import { expect } from "chai";
import { recoverTypedDataAddress } from "viem";
import { type CosignerOptions, startCosigner } from "../../../services/match/presence/cosigner.ts";
import { proposeSlot, readCosigned, readOffline } from "../../../services/match/presence/cosignStore.ts";
import { insertNode, insertRow } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";
import { accounts, bitsOf, deployment, openSlotBed, type SlotBed, slotBefore } from "./slotBed.ts";

const domain = domainOf(deployment, "ComputeNode");

describe("match: the cosigner", function () {
  this.timeout(120_000);
  let bed: SlotBed;

  before(async () => {
    bed = await openSlotBed("ngpu_witness");
  });
  afterEach(() => bed.clear());
  after(() => bed.close());

  const start = (instance: string) =>
    bed.start<CosignerOptions>(startCosigner, {
      instance,
      account: accounts.cosigner,
      lossSeconds: 3,
      lossShare: 0.3,
      lossFloor: 1,
    });
  const cosigned = (slot: bigint) =>
    eventually(`slot ${slot} is cosigned`, () => readCosigned(bed.db, slot), 60_000);
  const refused = (slot: bigint) =>
    eventually(`slot ${slot} is refused`, () =>
      bed.events().some((one) => one.event === "slot_not_cosigned" && one.slot === String(slot)),
    );

  it("signs what a committer proposes with the nodes of the acknowledgements added, in the contract's words", async () => {
    const slot = slotBefore(2);
    await bed.hear(slot, [1, 300]);
    await bed.hear(slot, [2], accounts.signer, "b");
    await proposeSlot(bed.chain, slot, bitsOf(400, [7]));
    start("one");
    const { encoding, nodeCount, bits, signature } = await cosigned(slot);
    expect([...decodeHeartbeats({ encoding, nodeCount, bits })].sort((a, b) => a - b)).to.deep.equal([
      1, 2, 7, 300,
    ]);
    const signer = await recoverTypedDataAddress({
      domain,
      types: { HeartbeatSlot: cosignTypes.HeartbeatSlot },
      primaryType: "HeartbeatSlot",
      signature,
      message: { slot, encoding: encoding === "bitmap" ? 0 : 1, nodeCount, bits },
    });
    expect(signer).to.equal(accounts.cosigner.address);
  });

  it("refuses a slot without an acknowledgement, and one whose acknowledgements count for nothing", async () => {
    const [unheard, strange, ended, false_] = [2, 3, 4, 5].map(slotBefore) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    await bed.hear(strange, [1], accounts.other);
    await bed.permit(accounts.other, true);
    await bed.permit(accounts.other, false);
    await bed.hear(ended, [1], accounts.other);
    await bed.hear(false_, [1]);
    await bed.chain.query("update app.heartbeat_ack set words = '[]' where slot = $1", [false_]);
    const slots = [unheard, strange, ended, false_];
    for (const slot of slots) await proposeSlot(bed.chain, slot, bitsOf(4, []));
    start("one");
    for (const slot of slots) await refused(slot);
    for (const slot of slots) expect(await readCosigned(bed.db, slot)).to.equal(undefined);
    // An acknowledgement that comes later is enough.
    await bed.hear(strange, [], accounts.signer, "b");
    expect((await cosigned(strange)).nodeCount).to.equal(4);
  });

  it("signs a slot once: beside another instance, after a kill, and when another proposal follows", async () => {
    const slot = slotBefore(2);
    await bed.hear(slot, [1]);
    await proposeSlot(bed.chain, slot, bitsOf(4, [2]));
    const [first] = [start("one"), start("two")];
    const signed = await cosigned(slot);
    await first.stop();
    await proposeSlot(bed.chain, slot, bitsOf(4, []));
    const next = slotBefore(3);
    await bed.hear(next, [1]);
    await proposeSlot(bed.chain, next, bitsOf(4, []));
    start("three");
    await cosigned(next);
    expect(await readCosigned(bed.db, slot)).to.deep.equal(signed);
    const slots = bed.events().filter((one) => one.event === "slot_cosigned");
    expect(slots.map((one) => one.slot).sort()).to.deep.equal([String(slot), String(next)].sort());
  });

  it("goes on after a proposal that it cannot read", async () => {
    const [broken, whole] = [slotBefore(3), slotBefore(2)];
    for (const slot of [broken, whole]) await bed.hear(slot, [1]);
    await proposeSlot(bed.chain, broken, { encoding: "absentees", nodeCount: 4, bits: "0xff" });
    await proposeSlot(bed.chain, whole, bitsOf(4, []));
    start("one");
    await cosigned(whole);
    await refused(broken);
    expect(await readCosigned(bed.db, broken)).to.equal(undefined);
  });

  it("states that a node is offline after three slots of silence, and nothing while too many are silent", async () => {
    // An instance of sessions runs, so nodes need no time to reconnect.
    await bed.chain.query("insert into app.match_instance (instance) values ('sessions')");
    const head = { number: 1, hash: "0x1" };
    await insertRow(bed.chain, "chain.block", { ...head, parent_hash: "0x", time: new Date() });
    await insertRow(bed.chain, "chain.head", { ...head, tier: "unsafe" });
    const key = (id: number) => `0x${String(id).padStart(40, "0")}`;
    for (const id of [1, 2, 3, 4]) await insertNode(bed.chain, { node_id: id, key: key(id) });
    const silent = (id: number, hours: number) =>
      bed.chain.query(
        `insert into app.absence (node_id, signal, since, heard_at)
         values ($1, 'session', now() - make_interval(hours => $2), now() - make_interval(hours => $2))`,
        [id, hours],
      );
    for (const id of [1, 2]) await silent(id, 2);
    const slot = slotBefore(2);
    start("one");
    // Half of the market: the cosigner signs slots meanwhile, and states nothing.
    await bed.hear(slot, [3, 4]);
    await proposeSlot(bed.chain, slot, bitsOf(4, [3, 4]));
    await cosigned(slot);
    expect(await readOffline(bed.db, [1, 2])).to.deep.equal([]);
    await bed.chain.query("delete from app.absence where node_id = 2");
    const [statement] = await eventually("node 1 is stated", async () => {
      const statements = await readOffline(bed.db, [1, 2, 3, 4]);
      return statements.length > 0 && statements;
    });
    expect(statement?.nodeId).to.equal(1);
    const signer = await recoverTypedDataAddress({
      domain,
      types: { NodeOffline: cosignTypes.NodeOffline },
      primaryType: "NodeOffline",
      message: { nodeId: 1, deadline: statement?.deadline ?? 0n },
      signature: statement?.signature ?? "0x",
    });
    expect(signer).to.equal(accounts.cosigner.address);
  });
});
