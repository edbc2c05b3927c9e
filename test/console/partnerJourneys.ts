import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { startTcpProxy } from "../support/tcpProxy.ts";
import { flawsOf, type View, visit } from "./browser.ts";
import type { ConsoleMarket } from "./market.ts";
import type { Shared } from "./shared.ts";

const view: View = { language: "en", size: "desktop", theme: "light" };

export function partnerJourneys(shared: () => Shared): void {
  describe("what a partner does with a workspace, its keys and webhooks", () => {
    let market: ConsoleMarket;
    let browser: Browser;
    before(() => {
      ({ market, browser } = shared());
    });
    const part = (name: string) => `/workspaces/${market.workspaceId}?part=${name}`;
    /** Opens a page as the partner, and asserts at the end that nothing was wrong with it. */
    const onPage = async (path: string, use: (page: Page) => Promise<void>, url = market.api.url) => {
      const { page, context, faults } = await visit(browser, view, market);
      await page.goto(`${url.replace(/\/$/, "")}${path}`);
      await use(page);
      expect(faults).to.deep.equal([]);
      await context.close();
    };
    let time = 0n;
    /** Prints a line in the container, later than those before. */
    const print = (text: string) => {
      const now = BigInt(Date.now()) * 1_000_000n;
      time = now > time ? now : time + 1n;
      market.node.output.write(market.container, time, `${text}\n`);
    };

    it("searches, follows and downloads logs, which stay over a change of tabs", async () => {
      await onPage(part("logs"), async (page) => {
        await page.getByText("serving at 8080").waitFor();
        await page.getByLabel("Search").fill("READY");
        await page.locator("mark", { hasText: "ready" }).waitFor();
        await page.getByText(/^1 of \d+ lines/).waitFor();
        await page.getByLabel("Search").fill("");
        await page.getByRole("tab", { name: "Replicas" }).click();
        print("written while another tab is shown");
        await page.getByRole("tab", { name: "Logs" }).click();
        await page.getByText("written while another tab is shown").waitFor();
        const saved = page.waitForEvent("download");
        await page.getByRole("button", { name: "Download" }).click();
        const text = readFileSync(await (await saved).path(), "utf8");
        expect(text).to.match(/stdout loading\n.*stdout ready\n/);
      });
    });

    it("loses no line over ten disconnects, and keeps few rows of them in the document", async () => {
      const proxy = await startTcpProxy(new URL(market.api.url));
      const { page, context } = await visit(browser, view, market);
      await page.goto(`${proxy.url.replace(/\/$/, "")}${part("logs")}`);
      await page.getByText("serving at 8080").waitFor();
      const said = await page.getByText(/^\d+ of \d+ lines/).textContent();
      const before = Number(/of (\d+)/.exec(said ?? "")?.[1]);
      for (let cut = 0; cut < 10; cut++) {
        proxy.cut();
        for (let n = 0; n < 10; n++) print(`line ${cut * 20 + n}.`);
        proxy.restore();
        for (let n = 10; n < 20; n++) print(`line ${cut * 20 + n}.`);
        const count = before + (cut + 1) * 20;
        await page.getByText(`${count} of ${count} lines`).waitFor();
      }
      const saved = page.waitForEvent("download");
      await page.getByRole("button", { name: "Download" }).click();
      const text = readFileSync(await (await saved).path(), "utf8");
      const numbers = [...text.matchAll(/line (\d+)\.\n/g)].map(([, number]) => Number(number));
      expect(numbers).to.deep.equal(Array.from({ length: 200 }, (_one, number) => number));
      expect(await page.locator(".log li").count()).to.be.at.most(60);
      await context.close();
      proxy.stop();
    });

    it("runs a shell in the container", async () => {
      const visitor = await visit(browser, view, market);
      const { page, context } = visitor;
      await page.goto(`${market.api.url}${part("terminal")}`);
      await page.getByRole("button", { name: "Open" }).click();
      const input = page.getByLabel("Terminal of the container");
      const screen = page.locator(".xterm-rows");
      await screen.waitFor();
      // The terminal's input has no size, so it is not seen as visible.
      await input.focus();
      await page.keyboard.type("echo $((6 * 7))\n");
      await screen.filter({ hasText: "42" }).waitFor();
      expect(await flawsOf(visitor)).to.deep.equal([]);
      await page.getByRole("tab", { name: "Replicas" }).click();
      await page.getByRole("tab", { name: "Terminal" }).click();
      await input.focus();
      await page.keyboard.type("exit 3\n");
      await screen.filter({ hasText: "exit code 3" }).waitFor();
      await context.close();
    });

    it("shows what a replica uses, and what it runs beside what was published", async () => {
      await onPage(part("use"), (page) => page.getByText("64 MiB of 256 MiB").waitFor());
      await onPage(part("configuration"), (page) => page.getByText("256 MiB (published: 256 MiB)").waitFor());
    });

    it("shows what an update changes before it is published", async () => {
      await onPage(part("configuration"), async (page) => {
        const publish = page.getByRole("button", { name: "Publish the update" });
        expect(await publish.isDisabled()).to.equal(true);
        await page.getByLabel("Environment").fill("MODE=fast");
        await page.locator(".diff .added", { hasText: "MODE=fast" }).waitFor();
        await page.locator(".diff .removed", { hasText: "environment: none" }).waitFor();
        await page.getByRole("button", { name: "Undo the changes" }).click();
        await page.getByText("Nothing differs from what is published.").waitFor();
      });
    });

    it("deploys from a template in three clicks", async () => {
      await onPage("/workspaces", async (page) => {
        await page.getByRole("link", { name: "Deploy" }).first().click();
        await page.getByRole("button", { name: /^Like chat/ }).click();
        await page.getByText("1 of 3 nodes fit", { exact: true }).waitFor();
        await page.getByRole("button", { name: "Publish" }).click();
        await page.waitForURL(/\/workspaces\/\d+$/);
      });
    });

    it("creates a key with scopes and limits, rotates and revokes it", async () => {
      await onPage("/keys", async (page) => {
        await page.getByLabel("Name", { exact: true }).fill("ci");
        await page.getByLabel("Calls a minute").fill("30");
        await page.getByLabel("NGPU a day").fill("2.5");
        await page.getByLabel("Valid for, days").fill("30");
        await page.getByLabel(/^tasks /).check();
        await page.getByRole("button", { name: "Create the key" }).click();
        await page.getByText("ci was created.").waitFor();
        expect(await page.locator(".secret").textContent()).to.match(/^ngpu_[0-9a-f]{16}_[0-9a-f]{64}$/);
        const row = page.getByRole("row", { name: /^ci / });
        await row.getByText("0 of 2.5").waitFor();
        expect(await row.textContent()).to.match(/tasks[\s\S]*30/);
        await row.getByRole("button", { name: "Rotate" }).click();
        await page.getByText(/^ci was rotated\./).waitFor();
        await page.getByRole("row", { name: /^ci / }).first().getByRole("button", { name: "Revoke" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
        await page.getByRole("dialog").waitFor({ state: "detached" });
      });
    });

    it("shows a webhook's deliveries, and sends one again", async () => {
      const delivered =
        "update app.webhook_delivery set status = 'delivered', ended_at = now() where endpoint_id = $1";
      await market.api.db.query(delivered, [market.webhookId]);
      await onPage("/webhooks", async (page) => {
        await page.getByRole("link", { name: "https://partner.example/ngpu" }).click();
        await page.getByText("Delivered", { exact: true }).waitFor();
        await page.getByRole("button", { name: "Send again" }).click();
        await page.getByText("The event is sent again.").waitFor();
        await page.getByText("Pending", { exact: true }).waitFor();
      });
    });

    it("shows how a machine joins, and how far the last one is", async () => {
      await onPage(`/operator?wallet=${market.account.address}`, async (page) => {
        await page.getByText(`--wallet ${market.account.address}`).waitFor();
        await page.getByText("Waiting for a machine that names this wallet.").waitFor();
        const change = "update chain.node set nominated_wallet = $1 where node_id = 3";
        await market.api.db.query(change, [market.account.address.toLowerCase()]);
        await page.getByText("Registered on the chain").waitFor();
        await page.getByText("Run ngpu node accept 3 with the wallet.").waitFor();
        await market.api.db.query("update chain.node set nominated_wallet = null where node_id = 3");
      });
    });
  });
}
