import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import type { Browser } from "playwright-core";
import { encodeFunctionData, parseEther } from "viem";
import { type View, visit } from "./browser.ts";
import type { ConsoleMarket } from "./market.ts";
import type { Shared } from "./shared.ts";
import { injectWallet } from "./wallet.ts";

const view: View = { language: "en", size: "desktop", theme: "light" };

export function journeys(shared: () => Shared): void {
  describe("what a visitor and a partner do", () => {
    let market: ConsoleMarket;
    let browser: Browser;
    before(() => {
      ({ market, browser } = shared());
    });

    it("signs in with a key, which no URL and no other tab has", async () => {
      const { page, context, faults } = await visit(browser, view);
      const urls: string[] = [];
      page.on("request", (request) => urls.push(request.url()));
      await page.goto(`${market.api.url}/workspaces`);
      await page.getByLabel("Key", { exact: true }).fill("ngpu_wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      faults.length = 0;
      await page.getByLabel("Key", { exact: true }).fill(market.apiKey);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("link", { name: "chat" }).waitFor();
      expect(urls.filter((url) => url.includes("ngpu_"))).to.deep.equal([]);
      const other = await context.newPage();
      await other.goto(`${market.api.url}/workspaces`);
      await other.getByLabel("Key", { exact: true }).waitFor();
      expect(faults).to.deep.equal([]);
      await context.close();
    });

    it("loads again when a script of its page could not be loaded, and says so when that does not help", async () => {
      const { page, context } = await visit(browser, view);
      let failures = 2;
      await page.route(/\/assets\/index-[\w-]+\.js$/, (route) => {
        failures -= 1;
        return failures < 0 ? route.continue() : route.abort("failed");
      });
      await page.goto(`${market.api.url}/nodes`);
      await page.getByRole("heading", { name: "Nodes" }).waitFor();
      expect(failures).to.be.lessThan(0);
      failures = Number.POSITIVE_INFINITY;
      await page.goto(`${market.api.url}/placements`);
      await page.getByRole("alert").filter({ hasText: "The console could not be loaded." }).waitFor();
      failures = 0;
      await page.getByRole("button", { name: "Load again" }).click();
      await page.getByRole("heading", { name: "Placements" }).waitFor();
      await context.close();
    });

    it("finds a task in the manual, and follows a link to a task of a chapter", async () => {
      const { page, context, faults } = await visit(browser, view);
      await page.goto(`${market.api.url}/manual`);
      await page.getByRole("searchbox").fill("doctor");
      await page.getByRole("link", { name: "Find out why it does not earn" }).click();
      await page.waitForURL(/\/manual\/operators#find-out-why-it-does-not-earn$/);
      await page.getByText("sudo ngpu-node doctor").waitFor();
      await page.goto(`${market.api.url}/manual/partners`);
      await page.getByRole("link", { name: "Give a program a key of its own" }).click();
      await page.waitForURL(/#give-a-program-a-key$/);
      expect(faults).to.deep.equal([]);
      await context.close();
    });

    it("shows a workspace's events live, and streams a chat", async () => {
      const { page, context, faults } = await visit(browser, view, market);
      await page.goto(`${market.api.url}/workspaces/${market.workspaceId}`);
      await page.getByRole("tab", { name: "Events" }).click();
      await page.getByText("The workspace was published.").waitFor();
      await page.getByRole("tab", { name: "Chat" }).click();
      await page.getByLabel("Message").fill("What is a lease?");
      await page.getByLabel("Message").press("Enter");
      await page.getByText("A lease is a replica given to a node.").waitFor();
      await page.getByRole("tab", { name: "Configuration" }).click();
      await page.getByText("registry.test/chat").first().waitFor();
      expect(faults).to.deep.equal([]);
      await context.close();
    });

    it("answers where a workspace fits while it is typed, and names the nearest miss", async () => {
      const { page, context } = await visit(browser, view, market);
      await page.goto(`${market.api.url}/deploy`);
      await page.getByText(/^\d of 3 nodes fit$/).waitFor();
      await page.getByLabel("GPUs of a replica").fill("4");
      await page.getByText("None of 3 nodes fits", { exact: true }).waitFor();
      await page.getByText("Nearest miss").waitFor();
      await context.close();
    });

    it("publishes a workspace in a few clicks", async () => {
      const { page, context } = await visit(browser, view, market);
      await page.goto(`${market.api.url}/deploy`);
      await page.getByLabel("Image").fill(`registry.test/chat@sha256:${"ab".repeat(32)}`);
      await page.getByRole("button", { name: "Publish" }).click();
      await page.waitForURL(/\/workspaces\/\d+$/);
      await page.getByRole("tab", { name: "Replicas" }).waitFor();
      await context.close();
    });

    it("verifies a claim on the page from an RPC endpoint alone, and names a planted lie", async () => {
      const { page, context, origins, faults } = await visit(browser, view);
      const rpc = new URL(market.api.chain.url).origin;
      await page.goto(`${market.api.url}/wallet?account=${market.account.address}`);
      await page.getByText("4 NGPU can be claimed now.").waitFor();
      expect([...origins]).to.deep.equal([market.api.url]);
      const asked: string[] = [];
      page.on("request", (request) => asked.push(new URL(request.url()).origin));
      await page.getByRole("button", { name: "Verify" }).click();
      await page.getByText("Every step holds").waitFor();
      expect(asked).to.include(rpc);
      expect([...origins]).to.have.members([market.api.url, rpc]);
      const lie = "update app.epoch_leaf set cumulative = cumulative + $2 where account = $1";
      const account = market.account.address.toLowerCase();
      await market.api.db.query(lie, [account, 1]);
      await page.reload();
      await page.getByRole("button", { name: "Verify" }).click();
      await page.getByText("The amount is not in the tree that the chain has: the root differs.").waitFor();
      await market.api.db.query(lie, [account, -1]);
      expect(faults).to.deep.equal([]);
      await context.close();
    });

    it("claims in one transaction of an injected wallet, and shows it arrive", async () => {
      const { page, context, faults } = await visit(browser, view);
      await injectWallet(page, market);
      await page.goto(`${market.api.url}/wallet?account=${market.account.address}`);
      await page.getByRole("button", { name: "Claim with Test wallet" }).click();
      await page.getByText("The claim was sent.").waitFor();
      await page.getByText("There is nothing to claim now.").waitFor();
      expect(faults).to.deep.equal([]);
      await context.close();
    });

    it("deposits and authorizes with two signatures of an injected wallet", async () => {
      const args = [market.account.address, parseEther("3")] as const;
      const data = encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args });
      await market.api.chain.call("treasury", "Token", data);
      const { page, context, faults } = await visit(browser, view, market);
      await injectWallet(page, market);
      await page.goto(`${market.api.url}/account`);
      await page.getByLabel("Deposit, NGPU").fill("3");
      await page.getByRole("button", { name: "Sign with Test wallet" }).click();
      await page.getByText("Deposited and authorized.").waitFor();
      await page.locator(".stat", { hasText: "Deposited" }).getByText("13", { exact: true }).waitFor();
      expect(await page.getByText("Usable", { exact: true }).count()).to.equal(2);
      expect(faults).to.deep.equal([]);
      await context.close();
    });

    it("signs in with an injected wallet", async () => {
      const { page, context, faults } = await visit(browser, view);
      await injectWallet(page, market);
      await page.goto(`${market.api.url}/sign-in`);
      await page.getByRole("button", { name: "Test wallet" }).click();
      await page.getByRole("link", { name: "chat" }).waitFor();
      expect(faults).to.deep.equal([]);
      await context.close();
    });
  });
}
