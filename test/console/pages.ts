import { expect } from "chai";
import type { Browser } from "playwright-core";
import { chapters } from "../../console/src/pages/manual/search.ts";
import { parts } from "../../console/src/pages/workspaces/parts.ts";
import { flawsOf, type View, visit } from "./browser.ts";
import type { ConsoleMarket } from "./market.ts";
import type { Shared } from "./shared.ts";

/** Each pair of language, size and theme occurs. */
const views: View[] = [
  { language: "en", size: "desktop", theme: "light" },
  { language: "zh", size: "desktop", theme: "dark" },
  { language: "zh", size: "phone", theme: "light" },
  { language: "en", size: "phone", theme: "dark" },
];

const [desktop] = views as [View, ...View[]];

const pagesOf = ({ workspaceId, placementId, taskId, webhookId, account }: ConsoleMarket) => [
  "/",
  "/nodes",
  "/nodes/1",
  "/nodes/3",
  "/placements",
  `/placements/${placementId}`,
  "/workspaces",
  ...parts.map((part) => `/workspaces/${workspaceId}?part=${part}`),
  "/deploy",
  "/tasks",
  `/tasks/${taskId}`,
  "/account",
  "/usage",
  "/keys",
  "/members",
  "/secrets",
  "/webhooks",
  `/webhooks/${webhookId}`,
  `/wallet?account=${account.address}`,
  "/operator",
  `/operator?wallet=${account.address}`,
  "/manual",
  "/manual?q=logs",
  ...chapters.map((chapter) => `/manual/${chapter}`),
  "/nowhere",
];

export function pages(shared: () => Shared): void {
  describe("every page in each language, size and theme", () => {
    let market: ConsoleMarket;
    let browser: Browser;
    before(() => {
      ({ market, browser } = shared());
    });

    for (const view of views) {
      const { language, size, theme } = view;
      it(`has no error, no violation of accessibility and no overflow: ${language}, ${size}, ${theme}`, async () => {
        const visitor = await visit(browser, view, market);
        const { page, context, origins } = visitor;
        const flaws: string[] = [];
        for (const path of pagesOf(market)) {
          await page.goto(`${market.api.url}${path}`);
          await page.locator("main h1").waitFor();
          // A page with a stream is never without a request.
          if (!/part=(events|logs)/.test(path)) await page.waitForLoadState("networkidle");
          await page.locator("main .empty[role=status]").first().waitFor({ state: "detached" });
          flaws.push(...(await flawsOf(visitor)).map((flaw) => `${path}: ${flaw}`));
          visitor.faults.length = 0;
          if (process.env.CONSOLE_SHOTS !== undefined) {
            const name = `${path.replaceAll(/\W+/g, "-").slice(0, 32)}-${language}-${size}-${theme}`;
            await page.screenshot({ path: `${process.env.CONSOLE_SHOTS}/${name}.png`, fullPage: true });
          }
        }
        expect(flaws).to.deep.equal([]);
        expect([...origins]).to.deep.equal([market.api.url]);
        await context.close();
      });
    }

    it("keeps at most 60 rows of 10,000 nodes in the document", async () => {
      await market.api.db.query(
        `insert into chain.node select (jsonb_populate_record(node, jsonb_build_object('node_id', number, 'key', 'key ' || number))).*
         from chain.node as node cross join generate_series(1001, 11000) as number where node.node_id = 3`,
      );
      await market.api.db.query("analyze chain.node");
      const { page, context, faults } = await visit(browser, desktop);
      await page.goto(`${market.api.url}/nodes`);
      const rows = page.locator("tbody tr:not(.spacer)");
      await rows.first().waitFor();
      const area = page.getByRole("region", { name: "Nodes" });
      const said = page.getByRole("status").filter({ hasText: "nodes" });
      for (let text = ""; !/^[1-9],\d{3} nodes loaded/.test(text); ) {
        await said.filter({ hasNotText: text === "" ? "nothing" : text }).waitFor();
        text = (await said.textContent()) ?? "";
        expect(await rows.count()).to.be.at.most(60);
        // As by the keyboard: the region scrolls to its end.
        await area.press("End");
      }
      expect(await rows.count()).to.be.within(5, 60);
      expect(faults).to.deep.equal([]);
      await context.close();
      await market.api.db.query("delete from chain.node where node_id > 1000");
    });
  });
}
