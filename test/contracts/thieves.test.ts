import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { Hex } from "viem";
import { moving } from "./support/thefts.ts";
import { honestLeases, loadRobbed, type Robbed, refOf } from "./support/thieves.ts";
import { harmless } from "./support/vainThefts.ts";

const page = new URL("../../docs/contracts/roles.md", import.meta.url);
const day = 86_400;

/** Everything that an account has: tokens, and its deposit. */
const heldBy = async ({ token, escrow }: Robbed, account: Hex) =>
  (await token.read.balanceOf([account])) + (await escrow.read.balanceOf([account]));

/** The figures of the page's table, by key. */
function figuresOn(text: string): Record<string, string[]> {
  const [, table = ""] = text.split("<!-- figures of test/contracts/thieves.test.ts -->");
  const rows = [...table.matchAll(/^\| ([^|]+?) +\| ([\d.]+) +\| ([\d.]+) +\|/gm)];
  return Object.fromEntries(rows.map(([, key = "", ...figures]) => [key, figures]));
}

/** NGPU with two decimals, rounded up: a thief never takes more than the page says. */
function ngpu(amount: bigint): string {
  const cent = 10n ** 16n;
  return String(Number((amount + cent - 1n) / cent) / 100);
}

describe("A thief of each key, with op-sepolia's parameters", function () {
  this.timeout(600_000);

  it("takes in an hour and in a day what the page says", async () => {
    const figures: Record<string, string[]> = {};
    for (const [key, play] of Object.entries(moving)) {
      const loot = await play();
      figures[key] = [ngpu(loot.hour), ngpu(loot.day)];
    }
    for (const [key, play] of Object.entries(harmless)) {
      const market = await loadRobbed();
      const { runs } = await honestLeases(market);
      await market.time.increase(2 * day);
      await market.escrow.write.settle([runs.map(refOf)]);
      const account = await play(market);
      await market.time.increase(day);
      const loot = await heldBy(market, account);
      figures[key] = [ngpu(loot), ngpu(loot)];
    }
    expect(figuresOn(readFileSync(page, "utf8"))).to.deep.equal(figures);
  });
});
