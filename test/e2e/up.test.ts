import { execFile } from "node:child_process";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { Examination } from "../../node-client/doctor/doctor.ts";
import type { NodeStatus, OfferStatus } from "../../node-client/operator/status.ts";
import { signalGroup } from "../../scripts/embedded/leftovers.ts";
import { rootDir } from "../support/parts.ts";
import { noScratchRoot, type ScratchRoot, scratchRoot } from "../support/scratchRoot.ts";
import {
  containersOf,
  endStarted,
  engineSocket,
  leftovers,
  npmStart,
  processesOf,
  removeDir,
  type Start,
  stateDir,
} from "./market.ts";
import {
  eventually,
  foregroundCommand,
  type NodeAnswer,
  type NodeEntry,
  operatorCommand,
  operatorJson,
  startInstalled,
  updateClients,
} from "./operator.ts";

const run = promisify(execFile);
const up = "ngpu is running";

/** A command of the panel, from its `curl` to the end of its last line. */
function commandIn(panel: string, path: string): string {
  const lines = panel.split("\n");
  const first = lines.findIndex((line) => line.startsWith("curl ") && line.includes(path));
  const last = lines.findIndex((line, index) => index >= first && !line.endsWith("\\"));
  return lines.slice(first, last + 1).join("\n");
}

async function paste(command: string): Promise<string> {
  return (await run("bash", ["-c", command], { cwd: rootDir })).stdout;
}

/** Pid of a part of the market in this directory. */
function pidOf(dir: string, name: string): number {
  return (JSON.parse(readFileSync(join(dir, "run", `${name}.json`), "utf8")) as { pid: number }).pid;
}

/** Uses the operator's commands on a machine that joined; the market follows each. */
async function operate(root: ScratchRoot, url: string, seen: () => string): Promise<void> {
  const status = await operatorJson<NodeStatus>(root, "status");
  expect(status).to.include({ drained: false, current: true, session: true });
  expect((await root.run("/usr/local/bin/ngpu-node status")).stdout).to.match(/^Node +\d+ .*online/m);

  const offer = await operatorJson<OfferStatus>(root, "offer set --price-per-hour 0.5 --memory-mib 1024");
  const pricePerSecond = "138888888888889";
  expect(offer).to.include({ pricePerSecond, memoryMib: 1024 });
  await eventually<NodeAnswer>(url, (node) => node.pricePerSecond === pricePerSecond, seen);

  await operatorJson(root, "drain --wait");
  await eventually<NodeAnswer>(url, (node) => node.status === "maintenance", seen);
  const { problems } = await operatorJson<Examination>(root, "doctor");
  expect(problems.map(({ code }) => code)).to.include("node_drained");
  await operatorJson(root, "resume");
  await eventually<NodeAnswer>(url, (node) => node.status === "online", seen);
}

/** Polls until the result is true; an error counts as false, and the last one is printed when the time is over. */
async function until(ask: () => Promise<boolean>, milliseconds = 200_000): Promise<void> {
  const end = AbortSignal.timeout(milliseconds);
  let error: unknown;
  const isTrue = () =>
    ask().catch((thrown: unknown) => {
      error = thrown;
      return false;
    });
  while (!(await isTrue())) {
    if (end.aborted) throw new Error("The condition does not come true.", { cause: error });
    await delay(500);
  }
}

describe("npm start", function () {
  this.timeout(480_000);
  const dir = stateDir();
  let start: Start;

  const startAgain = async (text = up) => {
    start = npmStart(["--state-dir", dir]);
    await start.saw(text);
  };
  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(`${start.stdout()}\n${start.stderr()}\n`);
  });
  after(async () => {
    await endStarted();
    removeDir(dir);
  });

  it("shows a panel and stays up", async () => {
    await startAgain();
    expect(start.stdout()).to.match(/Partner key +\S+ +\(shown only once\)/);
    // The panel does not wait for the measurement, whose probe is a container too until it ends.
    await until(async () => (await containersOf(dir)).length === 1);
  });

  it("prints a command that streams a chat when pasted", async () => {
    const answer = await paste(commandIn(start.stdout(), "/v1/chat/completions"));
    const events = answer.trim().split("\n\n");
    expect(events.at(-1)).to.equal("data: [DONE]");
    const pieces = events
      .slice(0, -1)
      .map((event) => JSON.parse(event.replace(/^data: /, "")) as Record<string, unknown>);
    expect(pieces.length).to.be.greaterThan(1);
    for (const piece of pieces) expect(piece.object).to.equal("chat.completion.chunk");
  });

  it("prints a command that shows the account when pasted", async () => {
    const account = JSON.parse(await paste(commandIn(start.stdout(), "/v1/account"))) as {
      wallet: string;
      refundable: string;
    };
    expect(account.wallet).to.match(/^0x[0-9a-f]{40}$/);
    expect(BigInt(account.refundable) > 0n).to.equal(true);
  });

  it("verifies a placement by the id from the API", async () => {
    const { stdout } = start;
    const key = /Partner key +(\S+)/.exec(stdout())?.[1] ?? "";
    const id = /Workspace +(\d+)/.exec(stdout())?.[1] ?? "";
    const url = `${/API +(http\S+)/.exec(stdout())?.[1]}/v1/workspaces/${id}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
    const { replicaList } = (await answer.json()) as { replicaList: { placement: { id: string } }[] };
    const placement = replicaList[0]?.placement.id ?? "";
    const cli = [join(rootDir, "cli/index.ts"), "verify", "placement", placement];
    const database = readFileSync(join(dir, "database-url"), "utf8").trim();
    const verified = await run(process.execPath, [...cli, "--database-url", database]);
    expect(verified.stdout).to.match(/^Same: node 1\./);
  });

  it("has nothing on its chain that its logs do not lead to", async () => {
    const url = /API +(http\S+)/.exec(start.stdout())?.[1] ?? "";
    const cli = [join(rootDir, "cli/index.ts"), "verify", "market", "--api", url, "--no-receipts", "--json"];
    const { stdout } = await run(process.execPath, cli);
    const { holds, records, differences } = JSON.parse(stdout) as {
      holds: boolean;
      records: { placement: number };
      differences: unknown[];
    };
    expect(differences).to.deep.equal([]);
    expect(holds).to.equal(true);
    expect(records.placement).to.be.at.least(1);
  });

  it("prints a command that creates a partner when pasted, with a wallet that the market funded", async () => {
    const line = start
      .stdout()
      .split("\n")
      .find((one) => one.startsWith("npx node partner-docs/"));
    const joined = await paste(line ?? "");
    expect(joined).to.match(/^export NGPU_API_KEY=ngpu_\S+\n$/);
    const key = readFileSync(join(dir, "partner.key"), "utf8").trim();
    expect(start.stdout()).to.include(key);
    expect(statSync(join(dir, "partner.key")).mode & 0o777).to.equal(0o600);
  });

  it("gives test tokens to a new wallet, so that its deposit works", async () => {
    const wallet = join(dir, "fresh.key");
    writeFileSync(wallet, `${generatePrivateKey()}\n`, { mode: 0o600 });
    const url = /API +(http\S+)/.exec(start.stdout())?.[1] ?? "";
    const example = `npx node partner-docs/examples/join.ts --api ${url} --wallet ${wallet} --deposit 5`;
    expect(await paste(example)).to.include("export NGPU_API_KEY=ngpu_");
    const other = privateKeyToAccount(generatePrivateKey()).address;
    expect(await paste(`npm run -s cli -- faucet ${other} --api ${url}`)).to.include("100 NGPU and 0.1 ETH");
  });

  it("restarts killed parts, and serves partners as before", async () => {
    for (const name of ["match", "redis", "postgres", "node", "chain"]) {
      process.kill(pidOf(dir, name), "SIGKILL");
      await start.saw(`${name} ended (killed by SIGKILL)`);
      await start.saw(`${name} ended (killed by SIGKILL); restarted, healthy again after`);
    }
    // Parts wait for those that they need, and none ends with another.
    expect(start.stdout()).not.to.match(/ended \(exit code/);
    const chat = commandIn(start.stdout(), "/v1/chat/completions");
    const account = commandIn(start.stdout(), "/v1/account");
    await until(async () => (await paste(`${chat} -fsS`)).includes("data: [DONE]"));
    const { deposited } = JSON.parse(await paste(account)) as { deposited: string };
    expect(BigInt(deposited)).to.equal(1_000n * 10n ** 18n);
    expect(await containersOf(dir)).to.have.length(1);
  });

  it("serves its documentation and its OpenAPI document", async () => {
    const url = /API docs +(\S+)/.exec(start.stdout())?.[1] ?? "";
    const page = await fetch(url);
    expect(page.status).to.equal(200);
    expect(page.headers.get("content-type")).to.include("text/html");
    const description = await fetch(new URL("/openapi.json", url));
    expect(((await description.json()) as { openapi: string }).openapi).to.match(/^3\./);
  });

  it("lets a machine join with the README's command", async function () {
    const reason = noScratchRoot();
    if (reason !== undefined) this.skip();
    const api = /API +(http\S+)/.exec(start.stdout())?.[1] ?? "";
    const wallet = `0x${"5a".repeat(20)}`;
    const root = scratchRoot(engineSocket());
    try {
      const installed = await root.run(operatorCommand(api, wallet));
      expect(installed.code, installed.stderr).to.equal(0);
      appendFileSync(join(root.path, "etc/ngpu/node.env"), "NODE_UPDATE_SECONDS=3\n");
      const client = startInstalled(root, foregroundCommand(installed.stdout));
      try {
        // The wallet has not accepted the node.
        const isIt = (node: NodeEntry) =>
          node.nominatedWallet?.toLowerCase() === wallet && node.status === "online";
        const list = await eventually<{ nodes: NodeEntry[] }>(
          `${api}/v1/nodes`,
          ({ nodes }) => nodes.some((node) => isIt(node) && node.connected),
          client.output,
        );
        const id = list.nodes.find(isIt)?.id;
        await eventually<NodeAnswer>(
          `${api}/v1/nodes/${id}`,
          ({ session, uptime }) => session !== null && uptime.present > 0,
          client.output,
        );
        await operate(root, `${api}/v1/nodes/${id}`, client.output);
        await updateClients(dir, "0.99.0");
        await until(async () => (await operatorJson<NodeStatus>(root, "status")).version === "0.99.0");
        expect(await operatorJson<NodeStatus>(root, "status")).to.include({ nodeId: id, session: true });
      } finally {
        await client.stop();
      }
      const removed = await root.run(`sh ${rootDir}/scripts/install_mcNode.sh --uninstall --purge`);
      expect(removed.code, removed.stderr).to.equal(0);
    } finally {
      root.remove();
    }
  });

  it("leaves its parts running when only the program is killed, and the next start ends them first", async () => {
    process.kill(start.program(), "SIGKILL");
    await start.ended;
    expect(processesOf(dir).length).to.be.greaterThan(8);
    const before = await containersOf(dir);
    expect(before.length).to.be.greaterThan(0);
    await startAgain("This machine joins as a compute node");
    expect(start.stdout()).to.match(/Stopped processes left over from a killed run: .*match/);
    expect(await containersOf(dir)).not.to.include.members(before);
  });

  it("does the same when all processes of the terminal are killed, and reports that the database was recreated", async () => {
    signalGroup(start.pid, "SIGKILL");
    await start.ended;
    expect(processesOf(dir).length).to.be.greaterThan(8);
    await startAgain();
    expect(start.stdout()).to.match(/Stopped processes left over from a killed run/);
    expect(start.stdout()).to.include("recreated, because the embedded chain was restarted");
  });

  it("stops everything on Ctrl-C within 30 s and exits with 0", async () => {
    const began = performance.now();
    start.interrupt();
    expect(await start.ended).to.deep.equal({ code: 0, signal: null });
    expect(performance.now() - began).to.be.lessThan(30_000);
    expect(await leftovers(dir)).to.deep.equal([]);
  });
});
