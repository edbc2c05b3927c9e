import type { Browser } from "playwright-core";

const loads = 5;

/** The market's page, loaded into an empty cache: the bytes that travel, and when its largest part is painted (median). */
export async function measureFirstLoad(
  browser: Browser,
  url: string,
): Promise<{ firstLoadKb: number; lcpMs: number }> {
  const found: { bytes: number; lcp: number }[] = [];
  for (let load = 0; load < loads; load++) found.push(await loadOnce(browser, url));
  const middle = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(loads / 2)] ?? 0;
  return {
    firstLoadKb: Math.round(middle(found.map(({ bytes }) => bytes)) / 100) / 10,
    lcpMs: Math.round(middle(found.map(({ lcp }) => lcp))),
  };
}

async function loadOnce(browser: Browser, url: string): Promise<{ bytes: number; lcp: number }> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  const files = new Set<string>();
  let bytes = 0;
  network.on("Network.responseReceived", ({ requestId, response }) => {
    if (!new URL(response.url).pathname.startsWith("/v1/")) files.add(requestId);
  });
  network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (files.has(requestId)) bytes += encodedDataLength;
  });
  await page.goto(url, { waitUntil: "networkidle" });
  const lcp = (await page.evaluate(`new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
      .observe({ type: "largest-contentful-paint", buffered: true });
  })`)) as number;
  await context.close();
  return { bytes, lcp };
}
