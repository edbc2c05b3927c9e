import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import {
  findProgram,
  installPrograms,
  mayInstall,
  chromium as program,
} from "../../scripts/bootstrap/system.mjs";

export type View = { language: "en" | "zh"; size: "desktop" | "phone"; theme: "light" | "dark" };

const sizes = { desktop: { width: 1_280, height: 800 }, phone: { width: 390, height: 844 } };

/** Chromium of the system; it is installed where this is possible. */
export async function openBrowser(): Promise<Browser> {
  if (findProgram(program.program) === undefined && mayInstall()) {
    await installPrograms({ programs: [program], print: (line) => process.stderr.write(`${line}\n`) });
  }
  const executablePath = findProgram(program.program);
  if (executablePath === undefined) {
    throw new Error(`Install ${program.packages.join(" and ")}: these tests drive Chromium.`);
  }
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

export type Visit = {
  page: Page;
  context: BrowserContext;
  /** Errors of the browser's console, exceptions of the page, and requests to other servers. */
  faults: string[];
  /** Origins that the page asked. */
  origins: Set<string>;
};

/** What a page asked for without an answer so far, and what was wrong with it. */
const followed = new WeakMap<Page, { open: Set<string>; failed: string[]; faults: string[] }>();

/** A window of a visitor with these settings. */
export async function visit(browser: Browser, view: View, given: { apiKey?: string } = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: sizes[view.size], reducedMotion: "reduce" });
  const stored = { "ngpu.language": view.language, "ngpu.theme": view.theme };
  const key = given.apiKey === undefined ? {} : { "ngpu.key": given.apiKey };
  await context.addInitScript(
    `Object.assign(localStorage, ${JSON.stringify(stored)}); Object.assign(sessionStorage, ${JSON.stringify(key)});`,
  );
  // A busy machine is slow; a test that fails waits this long.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const faults: string[] = [];
  const origins = new Set<string>();
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes(networkChanged)) {
      faults.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) origins.add(new URL(request.url()).origin);
  });
  followed.set(page, { ...followRequests(page), faults });
  return { page, context, faults, origins };
}

/** Chromium gives up all it loads when an interface of the machine comes or goes, as those of containers do beside these tests. */
const networkChanged = "net::ERR_NETWORK_CHANGED";

function followRequests(page: Page): { open: Set<string>; failed: string[] } {
  const open = new Set<string>();
  const failed: string[] = [];
  let reload: NodeJS.Timeout | undefined;
  page.on("request", (request) => open.add(request.url()));
  page.on("requestfinished", (request) => open.delete(request.url()));
  page.on("requestfailed", (request) => {
    open.delete(request.url());
    const reason = request.failure()?.errorText;
    failed.push(`${request.url()}: ${reason}`);
    if (reason !== networkChanged || request.resourceType() !== "script") return;
    // A page without one of its scripts stays empty. Several fail at once.
    clearTimeout(reload);
    reload = setTimeout(() => void page.reload().catch(() => undefined), 500);
  });
  return { open, failed };
}

/** What is wrong with the page as it is shown: axe's violations, and content that is wider than the window. */
export async function flawsOf({ page, faults }: Visit): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target.join(' ')).slice(0, 4).join(', ')))",
  )) as string[];
  const wide = (await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  )) as number;
  return [...faults, ...violations, ...(wide > 0 ? [`The page is ${wide} pixels too wide.`] : [])];
}

/** Prints what the open pages show, and closes them: a failed test leaves its own open, and its error names one element. */
export async function closePages(browser: Browser): Promise<void> {
  for (const context of browser.contexts()) {
    for (const page of context.pages()) {
      const text = await page.locator("body").textContent({ timeout: 10_000 }).catch(String);
      const { open, failed, faults } = followed.get(page) ?? { open: [], failed: [], faults: [] };
      const details = { open: [...open], failed: failed.slice(-10), faults: faults.slice(-10) };
      process.stdout.write(`${page.url()} shows:\n${text?.slice(0, 2_000)}\n${JSON.stringify(details)}\n`);
    }
    await context.close();
  }
}
