import { expect } from "chai";
import type { Browser } from "playwright-core";
import { type View, visit } from "./browser.ts";
import type { ConsoleMarket } from "./market.ts";
import type { Shared } from "./shared.ts";

const view: View = { language: "en", size: "desktop", theme: "light" };

export function verification(shared: () => Shared): void {
  describe("what a page verifies from an RPC endpoint alone", () => {
    let market: ConsoleMarket;
    let browser: Browser;
    before(() => {
      ({ market, browser } = shared());
    });

    /** Verifies on a page, and asserts that from the click on nothing but the RPC endpoint was asked. */
    const verify = async (path: string, verdict: string, given: { apiKey?: string } = {}) => {
      const { page, context, faults, origins } = await visit(browser, view, given);
      const rpc = new URL(market.api.chain.url).origin;
      await page.goto(`${market.api.url}${path}`);
      await page.getByRole("button", { name: "Verify" }).waitFor();
      await page.waitForLoadState("networkidle");
      const asked: string[] = [];
      page.on("request", (request) => {
        const { origin, pathname } = new URL(request.url());
        if (pathname.startsWith("/v1/") || origin !== market.api.url) asked.push(origin);
      });
      await page.getByRole("button", { name: "Verify" }).click();
      await page.getByText(verdict).waitFor();
      expect(new Set(asked)).to.deep.equal(new Set([rpc]));
      expect([...origins]).to.have.members([market.api.url, rpc]);
      expect(faults).to.deep.equal([]);
      await context.close();
    };
    const holds = "Every step holds: the chain has what the market says.";

    it("recomputes a placement, and names a planted lie", async () => {
      const path = `/placements/${market.placementId}`;
      await verify(path, holds);
      const lie = (column: string, value: string) =>
        market.api.db.query(`update app.placement set ${column} = ${value} where request_id = $1`, [
          market.placementId,
        ]);
      await lie("node_id", "node_id - 1");
      await verify(path, "The lease went to another node than the market says.");
      await lie("node_id", "node_id + 1");
      await lie("ranking", "'[{\"nodeId\": 1}]'");
      await verify(path, "The stated ranking is not the recomputed one.");
    });

    it("compares a receipt with the chain, and names a planted lie", async () => {
      const path = `/tasks/${market.taskId}`;
      const { apiKey } = market;
      await verify(path, holds, { apiKey });
      const lie = "update app.receipt set amount = amount + $2 where task_id = $1";
      await market.api.db.query(lie, [market.taskId, 1]);
      await verify(path, "The proof does not lead to the root on the chain.", { apiKey });
      await market.api.db.query(lie, [market.taskId, -1]);
    });
  });
}
