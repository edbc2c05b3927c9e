import type { Browser, Locator } from "playwright-core";
import { visit } from "../../console/browser.ts";

/** From signing in to a workspace that runs, with a template: the seconds and the clicks. */
export async function measureDeploy(
  browser: Browser,
  url: string,
  apiKey: string,
): Promise<{ deploySeconds: number; clicks: number }> {
  const view = { language: "en", size: "desktop", theme: "light" } as const;
  const { page, context } = await visit(browser, view);
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Key", { exact: true }).fill(apiKey);
  await page.getByLabel("Key", { exact: true }).press("Enter");
  await page.waitForURL(/\/workspaces$/);
  let clicks = 0;
  const click = async (target: Locator) => {
    await target.click();
    clicks++;
  };
  const began = performance.now();
  await click(page.getByRole("link", { name: "Deploy" }).first());
  await click(page.getByRole("button", { name: /^Like / }).first());
  await click(page.getByRole("button", { name: "Publish", exact: true }));
  await page.waitForURL(/\/workspaces\/\d+$/);
  await page.locator(".stat", { hasText: "Status" }).getByText("Running", { exact: true }).waitFor();
  const deploySeconds = Math.round((performance.now() - began) / 100) / 10;
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("Closed", { exact: true }).first().waitFor();
  await context.close();
  return { deploySeconds, clicks };
}
