import { Command } from "commander";
import type { Browser } from "playwright-core";
import { openBrowser } from "../../console/browser.ts";
import { endStarted, npmStart, removeDir, stateDir } from "../../e2e/market.ts";
import { measureDeploy } from "./deploy.ts";
import { measureFirstLoad } from "./firstLoad.ts";
import { measureScroll } from "./scroll.ts";

/*
 * Measures the console in Chromium, against a market that it starts or one that runs (docs/benchmarks.md).
 */

type Market = { url: string; apiKey: string; stop: () => Promise<void> };
type Report = {
  firstLoadKb: number;
  lcpMs: number;
  deploySeconds: number;
  clicks: number;
  scrollFps: number;
};

/** `npm run bench -- console`. */
export async function run(args: string[]): Promise<void> {
  const options = new Command("npm run bench -- console")
    .option("--json", "the result as JSON, on the last line")
    .option("--url <url>", "a market that runs; default: one is started")
    .option("--key <key>", "its partner key")
    .parse(args, { from: "user" })
    .opts<{ json?: true; url?: string; key?: string }>();
  const market = await marketOf(options);
  const browser = await openBrowser();
  try {
    const report = await measure(browser, market);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
  } finally {
    await browser.close();
    await market.stop();
  }
}

async function measure(browser: Browser, { url, apiKey }: Market): Promise<Report> {
  const firstLoad = await measureFirstLoad(browser, url);
  const deploy = await measureDeploy(browser, url, apiKey);
  return { ...firstLoad, ...deploy, scrollFps: await measureScroll(browser, url) };
}

/** The named market, or one of `npm start`, whose panel prints its address and key. */
async function marketOf({ url, key }: { url?: string; key?: string }): Promise<Market> {
  if (url !== undefined && key !== undefined) return { url, apiKey: key, stop: async () => undefined };
  const dir = stateDir();
  const start = npmStart(["--state-dir", dir]);
  const stop = async () => {
    await endStarted();
    removeDir(dir);
  };
  try {
    await start.saw("Ctrl-C stops everything.");
  } catch (error) {
    await stop();
    throw error;
  }
  const panel = start.stdout();
  const found = (pattern: RegExp) => pattern.exec(panel)?.[1] ?? "";
  return { url: found(/Console +(\S+)/), apiKey: found(/Partner key +(\S+)/), stop };
}

function table({ firstLoadKb, lcpMs, deploySeconds, clicks, scrollFps }: Report): string {
  return [
    `first load    ${firstLoadKb} kB, compressed`,
    `LCP           ${lcpMs} ms`,
    `deploy        ${deploySeconds} s, ${clicks} clicks`,
    `scrolling     ${scrollFps} frames a second, 10,000 nodes`,
    "",
  ].join("\n");
}
