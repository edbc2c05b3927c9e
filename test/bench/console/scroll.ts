import type { Browser } from "playwright-core";

const nodes = 10_000;
const milliseconds = 4_000;

/** Frames a second while a table of 10,000 nodes scrolls. The nodes are copies of the market's first one. */
export async function measureScroll(browser: Browser, url: string): Promise<number> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  await page.route(/\/v1\/nodes\?/, async (route) => {
    const response = await route.fetch({ url: `${url}/v1/nodes?limit=1` });
    const [first] = ((await response.json()) as { nodes: object[] }).nodes;
    const list = Array.from({ length: nodes }, (_one, index) => ({ ...first, id: index + 1 }));
    await route.fulfill({ response, json: { nodes: list, next: null } });
  });
  await page.goto(`${url}/nodes`);
  await page.getByText("10,000 nodes", { exact: true }).waitFor();
  const frames = (await page.evaluate(`new Promise((resolve) => {
    const area = document.querySelector(".virtual");
    const began = performance.now();
    let frames = 0;
    const step = (now) => {
      if (now - began > ${milliseconds}) return resolve(frames);
      frames++;
      area.scrollTop += 120;
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  })`)) as number;
  await context.close();
  return Math.round((frames * 1_000) / milliseconds);
}
