import { domainOf, walletChangeTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { keyOf, later, loadMarket, type MarketFixture } from "./support/market.ts";
import { addNodes, type Node, registrationOf, signConsent, signRegistration } from "./support/nodes.ts";
import { refusalsOf, zeroAddress } from "./support/reverts.ts";

const limit = 60;
const operator = keyOf("operator");
const wallet = operator.address;

async function register(market: MarketFixture, names: string[], owner = operator) {
  const keys = names.map(keyOf);
  const messages = await Promise.all(
    keys.map(async (key) => {
      const consent = await signConsent(market, owner, key.address);
      return { ...registrationOf(key), wallet: owner.address, consent };
    }),
  );
  const signatures = await Promise.all(
    keys.map((key, place) => signRegistration(market, key, messages[place] as (typeof messages)[number])),
  );
  return market.mined(market.computeNode.write.registerBatch([messages, signatures]));
}

async function move(
  market: MarketFixture,
  node: Node,
  to: typeof operator | undefined,
  sequence = 1,
  signer = node.key,
) {
  const consent = to === undefined ? "0x" : await signConsent(market, to, node.key.address, { sequence });
  const message = { nodeId: node.id, wallet: to?.address ?? zeroAddress, sequence, deadline: later, consent };
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

  it("leave a node that came too soon free to join another", async () => {
    const market = await loadMarket();
    await register(market, named(limit));
    await register(market, ["one more"]);
    expect(refusalsOf(await register(market, ["one more"], keyOf("another operator")))).to.deep.equal([]);
  });

  it("are not counted for nodes that only name their wallet", async () => {
    const market = await loadMarket();
    const squatters = named(limit, "squatter");
    await addNodes(market, squatters, { wallet });
    expect(refusalsOf(await register(market, named(limit)))).to.deep.equal([]);
  });

  it("do not evade the limit by binding the wallet later", async () => {
    const market = await loadMarket();
    const [node] = (await addNodes(market, ["loner"])) as [Node];
    await register(market, named(limit - 1));
    expect(await move(market, node, operator)).to.deep.equal([]);
    const [second] = (await addNodes(market, ["second loner"])) as [Node];
    expect((await move(market, second, operator))[0]).to.deep.include({ name: "OperatorRateExceeded" });
    // A refused message can be sent again.
    await market.time.increase(3_600);
    expect(await move(market, second, operator)).to.deep.equal([]);
  });

  it("may leave a wallet, or bind the same one again, whatever its count", async () => {
    const market = await loadMarket();
    const [node] = (await addNodes(market, ["loner"])) as [Node];
    expect(await move(market, node, operator)).to.deep.equal([]);
    await register(market, named(limit - 1));
    expect(await move(market, node, operator, 2, operator)).to.deep.equal([]);
    expect(await move(market, node, undefined, 3, operator)).to.deep.equal([]);
  });

  it("are the wallet that is bound to a node's key, or the account itself", async () => {
    const market = await loadMarket();
    const { computeNode } = market;
    const [bound, loner, claimed] = [
      ...(await addNodes(market, ["bound", "loner"])),
      ...(await addNodes(market, ["claimed"], { wallet })),
    ] as [Node, Node, Node];
    await move(market, bound, operator);
    expect(await computeNode.read.operatorOf([claimed.key.address])).to.equal(claimed.key.address);
    expect(await computeNode.read.operatorOf([bound.key.address])).to.equal(wallet);
    expect(await computeNode.read.operatorOf([loner.key.address])).to.equal(loner.key.address);
    expect(await computeNode.read.operatorOf([wallet])).to.equal(wallet);
  });
});
