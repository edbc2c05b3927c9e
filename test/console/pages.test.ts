import { expect } from "chai";
import type { Browser } from "playwright-core";
import { flawsOf, openBrowser, type View, visit } from "./browser.ts";
import { type ConsoleMarket, openConsoleMarket } from "./market.ts";

/** Each pair of language, size and theme occurs. */
const views: View[] = [
  { language: "en", size: "desktop", theme: "light" },
  { language: "zh", size: "desktop", theme: "dark" },
  { language: "zh", size: "phone", theme: "light" },
  { language: "en", size: "phone", theme: "dark" },
];

const pagesOf = ({ workspaceId, placementId, account }: ConsoleMarket) => [
  ...["/", "/nodes", "/nodes/1", "/nodes/3", "/placements", `/placements/${placementId}`],
  ...[
    "/workspaces",
    `/workspaces/${workspaceId}`,
    "/deploy",
    "/account",
    `/wallet?account=${account.address}`,
  ],
  "/nowhere",
];

describe("console: every page in each language, size and theme", function () {
  this.timeout(600_000);
  let market: ConsoleMarket;
  let browser: Browser;
  before(async () => {
    [market, browser] = await Promise.all([openConsoleMarket(), openBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await market?.stop();
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
        await page.waitForLoadState("networkidle");
        flaws.push(...(await flawsOf(visitor)).map((flaw) => `${path}: ${flaw}`));
        visitor.faults.length = 0;
        if (process.env.CONSOLE_SHOTS !== undefined) {
          const name = `${path.replaceAll(/\W+/g, "-").slice(0, 24)}-${language}-${size}-${theme}`;
          await page.screenshot({ path: `${process.env.CONSOLE_SHOTS}/${name}.png`, fullPage: true });
        }
      }
      expect(flaws).to.deep.equal([]);
      expect([...origins]).to.deep.equal([market.api.url]);
      await context.close();
    });
  }
});
