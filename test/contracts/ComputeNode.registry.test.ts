import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, specUpdateTypes, statusChangeTypes } from "@ngpu/contracts-sdk/typedData";
import { signOffline } from "@ngpu/protocol/heartbeatCosign";
import { expect } from "chai";
import { type Hex, keccak256, parseEventLogs } from "viem";
import { isGasReal, noteGas, printGas } from "./support/gas.ts";
import { keyOf, later, loadMarket, type MarketFixture } from "./support/market.ts";
import {
  addNodes,
  demandOf,
  nodeSpec,
  packResources,
  registrationOf,
  signConsent,
  signRegistration,
} from "./support/nodes.ts";
import { cosigner, markOffline } from "./support/presence.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";
import { twinOfSignature } from "./support/twins.ts";

const status = { none: 0, online: 1, offline: 2, maintenance: 3 } as const;

async function register(market: MarketFixture, name: string, changes = {}, signer = keyOf(name)) {
  const message = { ...registrationOf(keyOf(name)), ...changes };
  const signature = await signRegistration(market, signer, message);
  return market.mined(market.computeNode.write.registerBatch([[message], [signature]]));
}

async function setStatus(
  market: MarketFixture,
  name: string,
  change: { nodeId: number; status: number; sequence: number; deadline?: bigint },
  domain: object = domainOf(market.deployment, "ComputeNode"),
) {
  const message = { deadline: later, ...change };
  const signature = await keyOf(name).signTypedData({
    domain,
    types: statusChangeTypes,
    primaryType: "StatusChange",
    message,
  });
  return market.mined(market.computeNode.write.setStatusBatch([[message], [signature]]));
}

describe("ComputeNode: registry", () => {
  after(printGas);

  it("registers nodes under dense ids, relayed by anyone", async () => {
    const market = await loadMarket();
    const nodes = await addNodes(market, ["a", "b", "c"]);
    expect(nodes.map(({ id }) => id)).to.deep.equal([1, 2, 3]);
    const { computeNode } = market;
    expect(await computeNode.read.nodeCount()).to.equal(3);
    expect(await computeNode.read.nodeKeyOf([2])).to.equal(keyOf("b").address);
    expect(await computeNode.read.nodeIdOf([keyOf("b").address])).to.equal(2);
    expect(await computeNode.read.statusOf([2])).to.equal(status.online);
    expect(await computeNode.read.specOf([2])).to.deep.equal([nodeSpec, 1_000n]);
    expect(await computeNode.read.freeOf([2])).to.deep.equal(nodeSpec.total);
  });

  for (const [whose, wallets, most] of [
    ["one wallet", 1, 105_000],
    ["a wallet of its own each", 50, 122_000],
  ] as const) {
    it(`registers 50 nodes with ${whose} in one batch`, async () => {
      const market = await loadMarket();
      const keys = Array.from({ length: 50 }, (_, place) => keyOf(`batch ${place}`));
      const messages = await Promise.all(
        keys.map(async (key, place) => {
          const wallet = keyOf(`wallet ${place % wallets}`);
          const consent = await signConsent(market, wallet, key.address);
          return { ...registrationOf(key), wallet: wallet.address, consent };
        }),
      );
      const signatures = await Promise.all(
        keys.map((key, place) => signRegistration(market, key, messages[place] ?? registrationOf(key))),
      );
      const receipt = await market.mined(market.computeNode.write.registerBatch([messages, signatures]));
      expect(await market.computeNode.read.nodeCount()).to.equal(50);
      const gas = noteGas(`register-50, a node with one GPU and ${whose}`, receipt, 50);
      if (isGasReal) expect(Number(gas)).to.be.lessThan(most);
    });
  }

  it("refuses a key that is registered, and continues with the rest", async () => {
    const market = await loadMarket();
    await addNodes(market, ["a"]);
    const messages = [keyOf("a"), keyOf("honest")].map(registrationOf);
    const signatures = await Promise.all(
      messages.map((message, place) =>
        signRegistration(market, keyOf(place === 0 ? "a" : "honest"), message),
      ),
    );
    const receipt = await market.mined(market.computeNode.write.registerBatch([messages, signatures]));
    expect(refusalsOf(receipt)).to.deep.equal([
      { index: 0, name: "NodeKeyTaken", args: { key: keyOf("a").address, nodeId: 1 } },
    ]);
    expect(await market.computeNode.read.nodeIdOf([keyOf("honest").address])).to.equal(2);
  });

  it("registers a node that names a GPU which another node named first, as a squatter would", async () => {
    const market = await loadMarket();
    const uuid = keccak256("0x01");
    const spec = { ...nodeSpec, total: { ...nodeSpec.total, gpus: 2 } };
    await addNodes(market, ["squatter"], { gpuUuids: [uuid] });
    expect(refusalsOf(await register(market, "owner", { spec, gpuUuids: [uuid, uuid] }))).to.deep.equal([]);
    expect(await market.computeNode.read.nodeIdOf([keyOf("owner").address])).to.equal(2);
  });

  it("refuses a spec whose GPUs are not named, a wrong signer and a late message", async () => {
    const market = await loadMarket();
    expectRefused(await register(market, "a", { gpuUuids: [] }), "NodeSpecInvalid");
    expectRefused(await register(market, "a", {}, keyOf("b")), "SignatureInvalid", {
      signer: keyOf("a").address,
    });
    const deadline = BigInt(await market.time.latest()) - 1n;
    expectRefused(await register(market, "a", { deadline }), "SignatureExpired", { deadline });
  });

  it("refuses lists of different lengths and batches that are too long", async () => {
    const { computeNode, people } = await loadMarket();
    const message = registrationOf(keyOf("a"));
    await expectRevert(computeNode.write.registerBatch([[message], []]), "BatchLengthMismatch", {
      items: 1n,
      signatures: 0n,
    });
    const many = Array.from({ length: 513 }, () => ({ nodeId: 1, deadline: 0n, signature: "0x" as Hex }));
    await expectRevert(computeNode.write.markOffline([many], { account: people.committer }), "BatchTooLong", {
      items: 513n,
      limit: 512n,
    });
  });

  it("accepts a signed message once, for this chain and this contract only", async () => {
    const market = await loadMarket();
    await addNodes(market, ["a"]);
    const change = { nodeId: 1, status: status.maintenance, sequence: 7 };
    const domain = domainOf(market.deployment, "ComputeNode");
    const signer = keyOf("a").address;
    for (const wrong of [
      { ...domain, chainId: 10 },
      { ...domain, verifyingContract: market.docker.address },
      { ...domain, name: "ngpu DockerContract" },
      { ...domain, version: "2" },
    ]) {
      expectRefused(await setStatus(market, "a", change, wrong), "SignatureInvalid", { signer });
    }
    expect(refusalsOf(await setStatus(market, "a", change))).to.deep.equal([]);
    expectRefused(await setStatus(market, "a", change), "SequenceStale", { given: 7, last: 7 });
  });

  it("never lets an older message of a key overtake a newer one, whatever its kind", async () => {
    const market = await loadMarket();
    await addNodes(market, ["a"]);
    await setStatus(market, "a", { nodeId: 1, status: status.maintenance, sequence: 300 });
    for (const sequence of [0, 2, 299, 300]) {
      expectRefused(
        await setStatus(market, "a", { nodeId: 1, status: status.online, sequence }),
        "SequenceStale",
        { given: sequence, last: 300 },
      );
    }
    expect(await market.computeNode.read.statusOf([1])).to.equal(status.maintenance);
    expect(await market.computeNode.read.sequencesOf([1])).to.deep.equal([300, 0]);
    await setStatus(market, "a", { nodeId: 1, status: status.online, sequence: 301 });
    expect(await market.computeNode.read.statusOf([1])).to.equal(status.online);
  });

  it("refuses the malleable twin of a signature", async () => {
    const market = await loadMarket();
    const message = registrationOf(keyOf("a"));
    const twin = twinOfSignature(await signRegistration(market, keyOf("a"), message));
    const receipt = await market.mined(market.computeNode.write.registerBatch([[message], [twin]]));
    expectRefused(receipt, "SignatureInvalid", { signer: message.key });
  });

  it("changes status only as in the table", async () => {
    const market = await loadMarket();
    await addNodes(market, ["a"]);
    let sequence = 1;
    for (const from of [status.online, status.offline, status.maintenance]) {
      for (const to of [status.none, status.online, status.offline, status.maintenance]) {
        const current = await market.computeNode.read.statusOf([1]);
        if (current !== from) await setStatus(market, "a", { nodeId: 1, status: from, sequence: sequence++ });
        const receipt = await setStatus(market, "a", { nodeId: 1, status: to, sequence: sequence++ });
        if (to === status.none || to === from) {
          expectRefused(receipt, "NodeStatusInvalid", { nodeId: 1, from, to });
        } else {
          expect(refusalsOf(receipt)).to.deep.equal([]);
          expect(await market.computeNode.read.statusOf([1])).to.equal(to);
        }
      }
    }
  });

  it("refuses a status that does not exist without touching the rest of the batch", async () => {
    const market = await loadMarket();
    await addNodes(market, ["a"]);
    const bad = await setStatus(market, "a", { nodeId: 1, status: 9, sequence: 1 });
    expectRefused(bad, "ValueUnknown", { value: 9n, highest: 3n });
    expectRefused(await setStatus(market, "a", { nodeId: 5, status: 1, sequence: 1 }), "NodeUnknown", {
      nodeId: 5,
    });
  });

  it("marks no node offline on the word of a committer: a cosigner states it, for a time", async () => {
    const market = await loadMarket();
    await addNodes(market, ["a", "b"]);
    const committer = keyOf("committer");
    expectRefused(await markOffline(market, [1], { signer: committer }), "CosignerUnknown", {
      signer: committer.address,
    });
    const deadline = BigInt(await market.time.latest());
    expectRefused(await markOffline(market, [1], { deadline }), "SignatureExpired", { deadline });
    const statement = await signOffline(cosigner, market.deployment, 1, later);
    const other = [{ ...statement, nodeId: 2 }];
    const sent = market.computeNode.write.markOffline([other], { account: market.people.committer });
    expectRefused(await market.mined(sent), "CosignerUnknown");
    await market.computeNode.write.setHeartbeatCosigner([cosigner.address, false]);
    expectRefused(await markOffline(market, [1]), "CosignerUnknown", { signer: cosigner.address });
    expect(await market.computeNode.read.statusOf([1])).to.equal(status.online);
  });

  it("lets only committers mark online nodes offline", async () => {
    const market = await loadMarket();
    const { people } = market;
    await addNodes(market, ["a", "b"]);
    const account = people.deployer;
    await expectRevert(markOffline(market, [1], { account }), "CallerNotCommitter", { caller: account });
    const receipt = await markOffline(market, [1, 1, 2]);
    expect(refusalsOf(receipt)).to.deep.equal([
      {
        index: 1,
        name: "NodeStatusInvalid",
        args: { nodeId: 1, from: status.offline, to: status.offline },
      },
    ]);
    const changed = parseEventLogs({
      abi: computeNodeAbi,
      eventName: "NodeStatusChanged",
      logs: receipt.logs,
    });
    expect(changed.map(({ args }) => args.nodeId)).to.deep.equal([1, 2]);
  });

  it("updates spec and price, but not to less than is reserved nor to more GPUs than registered", async () => {
    const market = await loadMarket();
    const { computeNode, people, mined } = market;
    await addNodes(market, ["a"]);
    await computeNode.write.addDocker([people.keeper]);
    const reserved = { gpus: 1, cpuMilli: 4_000, memoryMib: 1_024, diskGib: 10, ports: 2 };
    await computeNode.write.reserve([1, demandOf(reserved)], { account: people.keeper });
    const update = async (total: object, sequence: number) => {
      const message = {
        nodeId: 1,
        spec: { ...nodeSpec, total: { ...nodeSpec.total, ...total } },
        pricePerSecond: 5n,
        gpuName: "other",
        sequence,
        deadline: later,
      };
      const signature = await keyOf("a").signTypedData({
        domain: domainOf(market.deployment, "ComputeNode"),
        types: specUpdateTypes,
        primaryType: "SpecUpdate",
        message,
      });
      return mined(computeNode.write.updateSpecBatch([[message], [signature]]));
    };
    expectRefused(await update({ gpus: 2 }, 1), "NodeSpecInvalid");
    expectRefused(await update({ cpuMilli: 3_999 }, 1), "NodeCapacityExceeded", {
      nodeId: 1,
      wanted: reserved,
    });
    expect(refusalsOf(await update({ cpuMilli: 4_000 }, 1))).to.deep.equal([]);
    expectRefused(await update({ cpuMilli: 4_000 }, 1), "SequenceStale", { given: 1, last: 1 });
    expect((await computeNode.read.freeOf([1])).cpuMilli).to.equal(0);
    expect((await computeNode.read.specOf([1]))[1]).to.equal(5n);
    await computeNode.write.release([1, packResources(reserved)], { account: people.keeper });
    expect((await computeNode.read.freeOf([1])).cpuMilli).to.equal(4_000);
  });

  it("changes nothing for unknown nodes", async () => {
    const market = await loadMarket();
    const { computeNode, mined } = market;
    const sequence = 1;
    const consent = "0x";
    const deadline = later;
    const spec = { nodeId: 9, spec: nodeSpec, pricePerSecond: 1n, gpuName: "H", sequence, deadline };
    for (const call of [
      computeNode.write.updateSpecBatch([[spec], ["0x"]]),
      computeNode.write.setStatusBatch([[{ nodeId: 9, status: 1, sequence, deadline }], ["0x"]]),
      computeNode.write.setWalletBatch([
        [{ nodeId: 9, wallet: market.people.owner, sequence, deadline, consent }],
        ["0x"],
      ]),
    ]) {
      expectRefused(await mined(call), "NodeUnknown", { nodeId: 9 });
    }
  });
});
