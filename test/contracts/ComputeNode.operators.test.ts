import { domainOf, walletChangeTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { keyOf, later, loadMarket, type MarketFixture } from "./support/market.ts";
import { addNodes, type Node, registrationOf, signRegistration } from "./support/nodes.ts";
import { refusalsOf, zeroAddress } from "./support/reverts.ts";

const limit = 60;
const wallet = keyOf("operator").address;

async function register(market: MarketFixture, names: string[], to = wallet) {
  const keys = names.map(keyOf);
  const messages = keys.map((key) => ({ ...registrationOf(key), wallet: to }));
  const signatures = await Promise.all(
    keys.map((key, place) => signRegistration(market, key, messages[place] as (typeof messages)[number])),
  );
  return market.mined(market.computeNode.write.registerBatch([messages, signatures]));
}

async function move(market: MarketFixture, node: Node, to: `0x${string}`, nonce = 0n, signer = node.key) {
  const message = { nodeId: node.id, wallet: to, nonce, deadline: later };
  const domain = domainOf(market.deployment, "ComputeNode");
  const signature = await signer.signTypedData({
    domain,
    types: walletChangeTypes,
    primaryType: "WalletChange",
    message,
  });
  return refusalsOf(await market.mined(market.computeNode.write.setWalletBatch([[message], [signature]])));
}

const named = (count: number, name = "node") =>
  Array.from({ length: count }, (_, place) => `${name} ${place}`);

describe("ComputeNode: operators", () => {
  it("add a limited number of nodes in a period, and as many in the next", async () => {
    const market = await loadMarket();
    const receipt = await register(market, named(limit + 1));
    const [refusal, ...more] = refusalsOf(receipt);
    expect(more).to.deep.equal([]);
    expect(refusal).to.deep.include({ index: limit, name: "OperatorRateExceeded" });
    const nextAt = BigInt(await market.time.latest()) + 3_600n;
    expect(refusal?.args).to.deep.equal({ operator: wallet, limit, nextAt });
    expect(await market.computeNode.read.nodeCount()).to.equal(limit);
    await market.time.increaseTo(nextAt);
    expect(refusalsOf(await register(market, named(limit, "later")))).to.deep.equal([]);
    expect(refusalsOf(await register(market, ["too soon"]))).to.have.length(1);
  });

  it("leave the GPUs of a node that came too soon free", async () => {
    const market = await loadMarket();
    await register(market, named(limit));
    await register(market, ["one more"]);
    expect(refusalsOf(await register(market, ["one more"], keyOf("another operator").address))).to.deep.equal(
      [],
    );
  });

  it("do not evade the limit by binding the wallet later", async () => {
    const market = await loadMarket();
    const [node] = (await addNodes(market, ["loner"])) as [Node];
    await register(market, named(limit - 1));
    expect(await move(market, node, wallet)).to.deep.equal([]);
    const [second] = (await addNodes(market, ["second loner"])) as [Node];
    expect((await move(market, second, wallet))[0]).to.deep.include({ name: "OperatorRateExceeded" });
    // A refused message can be sent again.
    await market.time.increase(3_600);
    expect(await move(market, second, wallet)).to.deep.equal([]);
  });

  it("may leave a wallet, or bind the same one again, whatever its count", async () => {
    const market = await loadMarket();
    const [node] = (await addNodes(market, ["loner"], { wallet })) as [Node];
    await register(market, named(limit - 1));
    expect(await move(market, node, wallet, 1n, keyOf("operator"))).to.deep.equal([]);
    expect(await move(market, node, zeroAddress, 2n, keyOf("operator"))).to.deep.equal([]);
  });

  it("are the wallet that is bound to a node's key, or the account itself", async () => {
    const { computeNode, ...market } = await loadMarket();
    const [bound, loner] = [
      (await addNodes({ ...market, computeNode }, ["bound"], { wallet }))[0],
      (await addNodes({ ...market, computeNode }, ["loner"]))[0],
    ] as [Node, Node];
    expect(await computeNode.read.operatorOf([bound.key.address])).to.equal(wallet);
    expect(await computeNode.read.operatorOf([loner.key.address])).to.equal(loner.key.address);
    expect(await computeNode.read.operatorOf([wallet])).to.equal(wallet);
  });
});
