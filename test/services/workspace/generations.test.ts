import { expect } from "chai";
import { findDue } from "../../../services/workspace/due.ts";
import { loadFacts } from "../../../services/workspace/store.ts";
import { freshChain, type TestChain } from "./chain.ts";
import { addNode, assign, fund, publish } from "./chainActions.ts";
import { replaceContracts } from "./generations.ts";
import { openMarket, type TestMarket } from "./market.ts";
import { report } from "./nodeReports.ts";

// Price of a replica, token units per second.
const price = 1_000n;

describe("workspace: a market with replaced contracts", function () {
  this.timeout(240_000);
  let market: TestMarket;
  let ids: { previous: bigint; present: bigint };

  before(async () => {
    const previous = await freshChain();
    const nodeId = await addNode(previous, "one");
    const run = async (chain: TestChain, seconds: bigint) => {
      const published = await publish(chain, { authorizationId: await fund(chain, seconds) });
      const ref = await assign(chain, published, { nodeId, start: true });
      await report(chain, "one", ref, "running");
      return published.workspaceId;
    };
    const old = await run(previous, 1_000n);
    const present = await replaceContracts(previous, "market");
    ids = { previous: old, present: await run(present, 100_000n) };
    market = await openMarket(present);
    await market.exported();
  });
  after(() => market.stop());

  const terms = { startSeconds: 3_600, restSeconds: 60 };
  const fundsOf = async (id: bigint) => (await loadFacts(market.pool, id, terms))?.facts.funds;

  it("reads the balance and the debts in the escrow of the workspace's authorization", async () => {
    expect(await findDue(market.pool, terms)).to.deep.equal([]);
    const old = await fundsOf(ids.previous);
    const own = await fundsOf(ids.present);
    // Each without the lock of its lease, which is a second at the price.
    expect([old?.balance, own?.balance]).to.deep.equal([999n * price, 99_999n * price]);
    expect(old?.owedByOwner).to.equal(old?.owedByAuthorization);
    expect(own?.owedByOwner).to.equal(own?.owedByAuthorization);
  });

  it("finds the workspace whose escrow is used up, regardless of balances in others", async () => {
    await market.chain.pass(2_000);
    await market.exported();
    expect(await findDue(market.pool, terms)).to.deep.equal([ids.previous]);
  });
});
