import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type View, visit } from "./browser.ts";
import type { ConsoleMarket } from "./market.ts";
import type { Shared } from "./shared.ts";
import { injectWallet } from "./wallet.ts";

const view: View = { language: "en", size: "desktop", theme: "light" };

export function teamJourneys(shared: () => Shared): void {
  describe("what a partner does with members, secrets and invoices", () => {
    let market: ConsoleMarket;
    let browser: Browser;
    before(() => {
      ({ market, browser } = shared());
    });
    const onPage = async (path: string, use: (page: Page) => Promise<void>) => {
      const { page, context, faults } = await visit(browser, view, market);
      await page.goto(`${market.api.url}${path}`);
      await use(page);
      expect(faults).to.deep.equal([]);
      await context.close();
    };

    it("invites a member, who signs in by the link, and changes the role and removes the member", async () => {
      const invited = privateKeyToAccount(generatePrivateKey());
      await onPage("/members", async (page) => {
        await page.getByText("The account's own wallet").waitFor();
        await page.getByLabel("Name", { exact: true }).fill("Ada");
        await page.getByLabel("Role", { exact: true }).selectOption("viewer");
        await page.getByRole("button", { name: "Create the invitation" }).click();
        const link = (await page.locator(".secret").textContent()) ?? "";
        const visitor = await visit(browser, view);
        await injectWallet(visitor.page, { ...market, account: invited });
        await visitor.page.goto(link);
        await visitor.page.getByText("You were invited.").waitFor();
        await visitor.page.getByRole("button", { name: "Test wallet" }).click();
        await visitor.page.getByRole("heading", { name: "Workspaces" }).waitFor();
        await visitor.page.getByRole("link", { name: "chat", exact: true }).first().waitFor();
        expect(visitor.faults).to.deep.equal([]);
        await visitor.context.close();
        await page.reload();
        const role = page.getByLabel("Role of Ada");
        expect(await role.inputValue()).to.equal("viewer");
        await role.selectOption("developer");
        const changed = page.getByRole("row", { name: /POST \/v1\/members\/\{wallet\}/ });
        await changed.getByText("200", { exact: true }).waitFor();
        await page.getByRole("button", { name: "Remove" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
        await role.waitFor({ state: "detached" });
      });
    });

    it("sets a secret, whose value no page shows, and deletes it", async () => {
      await onPage("/secrets", async (page) => {
        await page.getByLabel("Name", { exact: true }).fill("API_TOKEN");
        await page.getByLabel("Value").fill("not to be seen");
        await page.getByRole("button", { name: "Set the secret" }).click();
        await page.getByText("API_TOKEN was stored.").waitFor();
        const row = page.getByRole("row", { name: /^API_TOKEN/ });
        await row.getByText("14 B").waitFor();
        expect(await page.content()).not.to.include("not to be seen");
        await row.getByRole("button", { name: "Delete" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
        await row.waitFor({ state: "detached" });
      });
    });

    it("sums tasks up by workspace, and saves an invoice as PDF", async () => {
      await onPage("/usage", async (page) => {
        await page.getByRole("button", { name: "Workspace" }).click();
        await page.getByRole("row", { name: new RegExp(`^${market.workspaceId} `) }).waitFor();
        const saved = page.waitForEvent("download");
        await page
          .getByRole("button", { name: /as PDF$/ })
          .first()
          .click();
        const file = await saved;
        expect(file.suggestedFilename()).to.match(/^ngpu-\d{4}-\d{2}\.pdf$/);
        expect(
          readFileSync(await file.path())
            .subarray(0, 5)
            .toString(),
        ).to.equal("%PDF-");
      });
    });
  });
}
