import { expect } from "chai";
import fc from "fast-check";
import { goToDay, today } from "./support/uptime.ts";
import { deposit, loadPartner, partner, place, report, state } from "./support/workspaces.ts";

/** The total holdings of a partner that is also the operator, in all accounts. */
async function heldBy({ escrow, token, nodes }: Awaited<ReturnType<typeof loadPartner>>): Promise<bigint> {
  const [balance, earned, free, paid] = await Promise.all([
    escrow.read.balanceOf([partner.address]),
    escrow.read.earnedBy([1]),
    token.read.balanceOf([partner.address]),
    token.read.balanceOf([nodes.first.key.address]),
  ]);
  return balance + earned + free + paid;
}

describe("Self-dealing", () => {
  it("gains nothing: the payment returns less the fee, which is burned, however it is collected", async function () {
    this.timeout(120_000);
    const round = fc.record({
      seconds: fc.integer({ min: 1, max: 5_000 }),
      /** Number of intermediate collections, in small amounts. */
      collects: fc.integer({ min: 0, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
        const market = await loadPartner();
        const { escrow, token } = market;
        await deposit(market, partner.address, 100_000_000n);
        const placed = await place(market);
        const before = await heldBy(market);
        const supply = await token.read.totalSupply();
        let sequence = 0;
        for (const { seconds, collects } of rounds) {
          await report(market, placed, state.running, ++sequence);
          await market.time.increase(seconds);
          for (let time = 0; time < collects; time++) await escrow.write.collect([[1]]);
          await report(market, placed, state.stopped, ++sequence);
          await goToDay(market, (await today(market)) + 1n);
        }
        await goToDay(market, (await today(market)) + 2n);
        await escrow.write.collect([[1]]);
        const paid = await escrow.read.totalSpentBy([partner.address]);
        const burned = supply - (await token.read.totalSupply());
        expect(await escrow.read.earnedBy([1])).to.equal(0n);
        expect(burned * 10_000n >= paid * BigInt(market.deployment.parameters.feeBasisPoints)).to.equal(true);
        expect(await heldBy(market)).to.equal(before - burned);
      }),
      { numRuns: 8 },
    );
  });
});
