import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import {
  domainOf,
  keyChangeTypes,
  statusChangeTypes,
  walletChangeTypes,
} from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { type Hex, parseEventLogs } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later, loadMarket, type MarketFixture } from "./support/market.ts";
import {
  addNodes,
  bindWallet,
  demandOf,
  type Node,
  nodeSpec,
  registrationOf,
  signConsent,
  signRegistration,
} from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf, zeroAddress } from "./support/reverts.ts";

const status = { online: 1, offline: 2, maintenance: 3 } as const;
const wallet = keyOf("wallet");

/** A node of this name, and one that is bound to `wallet`. */
async function loadNode(name = "a") {
  const market = await loadMarket();
  const [node] = (await addNodes(market, [name])) as [Node];
  return { market, node };
}

async function loadOwned() {
  const { market, node } = await loadNode();
  await bindWallet(market, node, wallet);
  return { market, node };
}

async function moveTo(
  market: MarketFixture,
  change: { wallet: Hex; sequence: number; consent?: Hex },
  signer: PrivateKeyAccount,
) {
  const message = { nodeId: 1, deadline: later, consent: "0x" as Hex, ...change };
  const signature = await signer.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: walletChangeTypes,
    primaryType: "WalletChange",
    message,
  });
  return market.mined(market.computeNode.write.setWalletBatch([[message], [signature]]));
}

async function setKey(
  market: MarketFixture,
  key: PrivateKeyAccount | undefined,
  sequence: number,
  {
    by = wallet,
    consenting = key,
  }: { by?: PrivateKeyAccount; consenting?: PrivateKeyAccount | undefined } = {},
) {
  const change = { nodeId: 1, key: key?.address ?? zeroAddress, sequence, deadline: later };
  const definition = {
    domain: domainOf(market.deployment, "ComputeNode"),
    types: keyChangeTypes,
    primaryType: "KeyChange" as const,
    message: change,
  };
  const consent = (await consenting?.signTypedData(definition)) ?? "0x";
  const message = { ...change, consent };
  return market.mined(
    market.computeNode.write.setKeyBatch([[message], [await by.signTypedData(definition)]]),
  );
}

async function setStatus(market: MarketFixture, signer: PrivateKeyAccount, to: number, sequence: number) {
  const message = { nodeId: 1, status: to, sequence, deadline: later };
  const signature = await signer.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: statusChangeTypes,
    primaryType: "StatusChange",
    message,
  });
  return market.mined(market.computeNode.write.setStatusBatch([[message], [signature]]));
}

describe("ComputeNode: the wallet of a node", () => {
  it("is bound at registration with its signature, or where it calls", async () => {
    const market = await loadMarket();
    const key = keyOf("a");
    const consent = await signConsent(market, wallet, key.address);
    await addNodes(market, ["a"], { wallet: wallet.address, consent });
    expect(await market.computeNode.read.walletOf([1])).to.equal(wallet.address);
    const caller = market.people.owner;
    const message = { ...registrationOf(keyOf("b")), wallet: caller };
    const signature = await signRegistration(market, keyOf("b"), message);
    const receipt = await market.mined(
      market.computeNode.write.registerBatch([[message], [signature]], { account: caller }),
    );
    const [log] = parseEventLogs({ abi: computeNodeAbi, eventName: "NodeRegistered", logs: receipt.logs });
    expect(log?.args).to.include({ wallet: caller, isBound: true });
    expect(await market.computeNode.read.walletOf([2])).to.equal(caller);
  });

  it("is not bound by a stranger's node that names it: it is judged by no node that it did not accept", async () => {
    const market = await loadMarket();
    const stranger = keyOf("stranger");
    await addNodes(market, ["stranger"], { wallet: wallet.address });
    const { computeNode } = market;
    expect(await computeNode.read.walletOf([1])).to.equal(zeroAddress);
    expect(await computeNode.read.nominatedWalletOf([1])).to.equal(wallet.address);
    expect(await computeNode.read.operatorOf([stranger.address])).to.equal(stranger.address);
    expect(await computeNode.read.payoutOf([1])).to.equal(stranger.address);
    const forged = await signConsent(market, keyOf("thief"), keyOf("b").address, { of: wallet.address });
    const message = { ...registrationOf(keyOf("b")), wallet: wallet.address, consent: forged };
    const signature = await signRegistration(market, keyOf("b"), message);
    const receipt = await market.mined(computeNode.write.registerBatch([[message], [signature]]));
    expectRefused(receipt, "SignatureInvalid", { signer: wallet.address });
    expect(await computeNode.read.nodeCount()).to.equal(1);
  });

  it("accepts the node that nominated it, by a call or a signature that anyone relays", async () => {
    const market = await loadMarket();
    const { computeNode, people, mined } = market;
    await addNodes(market, ["called"], { wallet: people.owner });
    await addNodes(market, ["signed"], { wallet: wallet.address });
    expectRefused(
      await mined(computeNode.write.acceptNodes([[1], ["0x"]], { account: people.outsider })),
      "SignatureInvalid",
      { signer: people.owner },
    );
    const consent = await signConsent(market, wallet, keyOf("signed").address);
    const receipt = await mined(
      computeNode.write.acceptNodes(
        [
          [1, 2, 9],
          ["0x", consent, "0x"],
        ],
        { account: people.owner },
      ),
    );
    expectRefused(receipt, "NodeNotNominating", { nodeId: 9 });
    expect(await computeNode.read.walletOf([1])).to.equal(people.owner);
    expect(await computeNode.read.walletOf([2])).to.equal(wallet.address);
    expect(await computeNode.read.nominatedWalletOf([2])).to.equal(zeroAddress);
    expectRefused(await mined(computeNode.write.acceptNodes([[2], [consent]])), "NodeNotNominating", {
      nodeId: 2,
    });
  });

  it("pays the node's key until a wallet is bound, which alone can then change it", async () => {
    const { market, node } = await loadNode();
    const { computeNode } = market;
    const { key } = node;
    const next = keyOf("next");
    expect(await computeNode.read.payoutOf([1])).to.equal(key.address);
    expectRefused(await moveTo(market, { wallet: wallet.address, sequence: 1 }, wallet), "SignatureInvalid", {
      signer: key.address,
    });
    await bindWallet(market, node, wallet);
    expect(await computeNode.read.payoutOf([1])).to.equal(wallet.address);
    const consent = await signConsent(market, next, key.address, { sequence: 2 });
    const change = { wallet: next.address, sequence: 2, consent };
    expectRefused(await moveTo(market, change, key), "SignatureInvalid", { signer: wallet.address });
    expectRefused(await moveTo(market, { ...change, consent: "0x" }, wallet), "SignatureInvalid", {
      signer: next.address,
    });
    await moveTo(market, change, wallet);
    expect(await computeNode.read.walletOf([1])).to.equal(next.address);
    await moveTo(market, { wallet: zeroAddress, sequence: 3 }, next);
    expect(await computeNode.read.payoutOf([1])).to.equal(key.address);
  });

  it("is nominated later by the node, which may change its mind until the wallet accepts", async () => {
    const { market, node } = await loadNode();
    const { computeNode, people } = market;
    const nominate = async (to: Hex, sequence: number) => {
      const receipt = await moveTo(market, { wallet: to, sequence }, node.key);
      const logs = parseEventLogs({
        abi: computeNodeAbi,
        eventName: "NodeWalletNominated",
        logs: receipt.logs,
      });
      expect(logs.map(({ args }) => args)).to.deep.equal([{ nodeId: 1, wallet: to }]);
    };
    await nominate(wallet.address, 1);
    await nominate(people.owner, 2);
    const old = await signConsent(market, wallet, node.key.address, { sequence: 1 });
    expectRefused(await market.mined(computeNode.write.acceptNodes([[1], [old]])), "SignatureInvalid", {
      signer: people.owner,
    });
    await computeNode.write.acceptNodes([[1], ["0x"]], { account: people.owner });
    expect(await computeNode.read.walletOf([1])).to.equal(people.owner);
  });

  it("gives no consent twice: a node that it left cannot come back with the old one", async () => {
    const { market, node } = await loadOwned();
    await moveTo(market, { wallet: zeroAddress, sequence: 2 }, wallet);
    const old = await signConsent(market, wallet, node.key.address, { sequence: 1 });
    const back = { wallet: wallet.address, sequence: 3, consent: old };
    expectRefused(await moveTo(market, back, node.key), "SignatureInvalid", { signer: wallet.address });
    expectRefused(await moveTo(market, { ...back, sequence: 2 }, node.key), "SequenceStale", {
      given: 2,
      last: 2,
    });
    expect(await market.computeNode.read.walletOf([1])).to.equal(zeroAddress);
  });
});

describe("ComputeNode: the key of a node", () => {
  it("is replaced by the wallet, with the new key's consent; the old key's messages end", async () => {
    const { market, node } = await loadOwned();
    const { computeNode } = market;
    const next = keyOf("next key");
    await setStatus(market, node.key, status.maintenance, 9);
    expectRefused(await setKey(market, next, 2, { consenting: node.key }), "SignatureInvalid", {
      signer: next.address,
    });
    const receipt = await setKey(market, next, 2);
    const logs = parseEventLogs({ abi: computeNodeAbi, eventName: "NodeKeySet", logs: receipt.logs });
    expect(logs.map(({ args }) => args)).to.deep.equal([{ nodeId: 1, key: next.address }]);
    expect(await computeNode.read.nodeKeyOf([1])).to.equal(next.address);
    expect(await computeNode.read.nodeIdOf([next.address])).to.equal(1);
    expect(await computeNode.read.nodeIdOf([node.key.address])).to.equal(0);
    expect(await computeNode.read.specOf([1])).to.deep.equal([nodeSpec, 1_000n]);
    expect(await computeNode.read.walletOf([1])).to.equal(wallet.address);
    // The old key belongs to the operator for ever: it judges no node of the wallet.
    expect(await computeNode.read.operatorOf([node.key.address])).to.equal(wallet.address);
    expect(await computeNode.read.sequencesOf([1])).to.deep.equal([0, 2]);
    expectRefused(await setStatus(market, node.key, status.online, 10), "SignatureInvalid", {
      signer: next.address,
    });
    expect(refusalsOf(await setStatus(market, next, status.online, 1))).to.deep.equal([]);
  });

  it("stolen is revoked by the wallet: nothing is placed there, until the wallet gives another", async () => {
    const { market, node } = await loadOwned();
    const { computeNode, people } = market;
    await computeNode.write.addDocker([people.keeper]);
    await setKey(market, undefined, 2);
    expect(await computeNode.read.nodeKeyOf([1])).to.equal(zeroAddress);
    expect(await computeNode.read.nodeIdOf([node.key.address])).to.equal(0);
    expect(await computeNode.read.statusOf([1])).to.equal(status.offline);
    expectRefused(await setStatus(market, node.key, status.online, 1), "NodeUnknown", { nodeId: 1 });
    const demand = demandOf({ gpus: 1, cpuMilli: 1, memoryMib: 1, diskGib: 1, ports: 1 });
    const reserve = () => computeNode.write.reserve([1, demand], { account: people.keeper });
    await expectRevert(reserve(), "NodeNotAccepting", { nodeId: 1, status: status.offline });
    expect(await computeNode.read.specOf([1])).to.deep.equal([nodeSpec, 1_000n]);
    // The thief can neither return nor register the key elsewhere.
    const message = registrationOf(node.key);
    const signature = await signRegistration(market, node.key, message);
    expectRefused(
      await market.mined(computeNode.write.registerBatch([[message], [signature]])),
      "NodeKeyTaken",
      { key: node.key.address, nodeId: 1 },
    );
    expectRefused(await setKey(market, node.key, 3), "NodeKeyTaken", { key: node.key.address, nodeId: 1 });
    const next = keyOf("next key");
    expect(refusalsOf(await setKey(market, next, 3))).to.deep.equal([]);
    expect(await computeNode.read.statusOf([1])).to.equal(status.offline);
    expect(refusalsOf(await setStatus(market, next, status.online, 1))).to.deep.equal([]);
    await reserve();
    expect((await computeNode.read.freeOf([1])).gpus).to.equal(0);
  });

  it("is changed by the bound wallet alone, in order, and never to a key that another node has or had", async () => {
    const { market, node } = await loadOwned();
    await addNodes(market, ["b"]);
    expectRefused(await setKey(market, keyOf("thief"), 2, { by: node.key }), "SignatureInvalid", {
      signer: wallet.address,
    });
    expectRefused(await setKey(market, keyOf("b"), 2), "NodeKeyTaken", { nodeId: 2 });
    await setKey(market, keyOf("second"), 3);
    expectRefused(await setKey(market, keyOf("stolen"), 2), "SequenceStale", { given: 2, last: 3 });
    expect(await market.computeNode.read.nodeKeyOf([1])).to.equal(keyOf("second").address);
  });

  it("of a node without a wallet stays: nobody could say who owns the node", async () => {
    const { market, node } = await loadNode();
    expectRefused(await setKey(market, keyOf("next key"), 1, { by: node.key }), "NodeWalletUnbound", {
      nodeId: 1,
    });
    expectRefused(await setKey(market, undefined, 1, { by: keyOf("stranger") }), "NodeWalletUnbound");
  });
});
