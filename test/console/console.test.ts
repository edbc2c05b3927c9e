import { closePages, openBrowser } from "./browser.ts";
import { journeys } from "./journeys.ts";
import { openConsoleMarket } from "./market.ts";
import { pages } from "./pages.ts";
import { partnerJourneys } from "./partnerJourneys.ts";
import type { Shared } from "./shared.ts";
import { teamJourneys } from "./teamJourneys.ts";
import { verification } from "./verification.ts";

describe("console", function () {
  this.timeout(600_000);
  let shared: Shared | undefined;
  before(async () => {
    const [market, browser] = await Promise.all([openConsoleMarket(), openBrowser()]);
    shared = { market, browser };
  });
  after(async () => {
    await shared?.browser.close();
    await shared?.market.stop();
  });
  afterEach(async function () {
    if (this.currentTest?.state === "failed" && shared !== undefined) await closePages(shared.browser);
  });
  const opened = () => shared as Shared;

  partnerJourneys(opened);
  teamJourneys(opened);
  verification(opened);
  journeys(opened);
  pages(opened);
});
