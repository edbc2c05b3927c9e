import { domainOf, walletChangeTypes, walletConsentTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import type { Address, Hex } from "viem";
import { keyOf, later, loadMarket, type MarketFixture } from "./support/market.ts";
import { addNodes, type Node, signConsent } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";
import { makeWallet, walletCode } from "./support/wallets.ts";

const owner = keyOf("wallet owner");
const nextOwner = keyOf("next wallet");
const next = nextOwner.address;

function signMove(market: MarketFixture, message: { nodeId: number; wallet: Address; sequence: number }) {
  return owner.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: walletChangeTypes,
    primaryType: "WalletChange",
    message: { ...message, deadline: later },
  });
}

/** A node bound to a wallet with this code, and its signed change to the next one. */
async function boundTo(market: MarketFixture, name: string, code: Hex) {
  const wallet = await makeWallet(market, code);
  const [node] = (await addNodes(market, [name], { wallet })) as [Node];
  // The wallet accepts by calling, whatever its code says of signatures.
  await market.connection.networkHelpers.impersonateAccount(wallet);
  await market.connection.networkHelpers.setBalance(wallet, 10n ** 18n);
  await market.computeNode.write.acceptNodes([[node.id], ["0x"]], { account: wallet });
  const message = { nodeId: node.id, wallet: next, sequence: 1 };
  const signature = await signMove(market, message);
  const consent = await signConsent(market, nextOwner, node.key.address, { sequence: 1 });
  return { wallet, message: { ...message, deadline: later, consent }, signature };
}

describe("Wallets that are contracts", () => {
  it("move their nodes with a signature that they accept, once", async () => {
    const market = await loadMarket();
    const { wallet, message, signature } = await boundTo(market, "node one", walletCode.of(owner.address));
    const move = () => market.mined(market.computeNode.write.setWalletBatch([[message], [signature]]));
    expect(refusalsOf(await move())).to.deep.equal([]);
    expect(await market.computeNode.read.walletOf([1])).to.equal(next);
    expect(await market.computeNode.read.operatorOf([wallet])).to.equal(wallet);
    expectRefused(await move(), "SequenceStale", { given: 1, last: 1 });
  });

  it("accept a node with a signature that they accept, relayed by anyone", async () => {
    const market = await loadMarket();
    const wallet = await makeWallet(market, walletCode.of(owner.address));
    const [node] = (await addNodes(market, ["node one"], { wallet })) as [Node];
    const accept = (signature: Hex) =>
      market.mined(market.computeNode.write.acceptNodes([[node.id], [signature]]));
    const consentOf = (signer: typeof owner) =>
      signer.signTypedData({
        domain: domainOf(market.deployment, "ComputeNode"),
        types: walletConsentTypes,
        primaryType: "WalletConsent",
        message: { key: node.key.address, wallet, sequence: 0 },
      });
    expectRefused(await accept(await consentOf(nextOwner)), "SignatureInvalid", { signer: wallet });
    expect(refusalsOf(await accept(await consentOf(owner)))).to.deep.equal([]);
    expect(await market.computeNode.read.walletOf([node.id])).to.equal(wallet);
  });

  it("refuse signatures of others", async () => {
    const market = await loadMarket();
    const { wallet, message } = await boundTo(market, "node one", walletCode.of(owner.address));
    const signature = await signMove(market, { ...message, sequence: 2 });
    const receipt = await market.mined(market.computeNode.write.setWalletBatch([[message], [signature]]));
    expectRefused(receipt, "SignatureInvalid", { signer: wallet });
  });

  for (const name of ["greedy", "reverting", "bomb", "short", "silent"] as const) {
    it(`do not stop a batch when they are ${name}, nor cost it more than their limit`, async () => {
      const market = await loadMarket();
      const bad = await boundTo(market, "node one", walletCode[name]);
      const good = await boundTo(market, "node two", walletCode.of(owner.address));
      const receipt = await market.mined(
        market.computeNode.write.setWalletBatch([
          [bad.message, good.message],
          [bad.signature, good.signature],
        ]),
      );
      expectRefused(receipt, "SignatureInvalid", { signer: bad.wallet });
      expect(await market.computeNode.read.walletOf([2])).to.equal(next);
      expect(receipt.gasUsed < 350_000n, String(receipt.gasUsed)).to.equal(true);
    });
  }

  it("are never refused for lack of gas: the whole call reverts, or they get the gas they need", async () => {
    const market = await loadMarket();
    const { message, signature } = await boundTo(market, "node one", walletCode.slow as Hex);
    const { networkHelpers } = market.connection;
    const write = market.computeNode.write.setWalletBatch;
    await expectRevert(write([[message], [signature]], { gas: 120_000n }), "SignatureGasTooLow");
    const outcomes = new Set<string>();
    for (let gas = 60_000n; gas <= 300_000n; gas += 4_000n) {
      const snapshot = await networkHelpers.takeSnapshot();
      // Sent without simulating it first.
      const hash = await write([[message], [signature]], { gas }).catch(() => undefined);
      const receipt = hash && (await market.client.getTransactionReceipt({ hash }));
      if (receipt?.status !== "success") outcomes.add("reverted");
      else outcomes.add(refusalsOf(receipt).length === 0 ? "moved" : "refused");
      await snapshot.restore();
    }
    expect([...outcomes].sort()).to.deep.equal(["moved", "reverted"]);
  });
});
