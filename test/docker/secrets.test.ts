import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { expect } from "chai";
import Docker from "dockerode";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { fencedKey } from "../../node-client/leases.ts";
import { createSecretFiles } from "../../node-client/secrets/secretFiles.ts";
import { type AgentOrder, encode } from "./node/agent.ts";
import { assignment, openRegistry, removeMarket } from "./node/market.ts";

type Reported = { code: string | null; details: Record<string, unknown>; count: number };

const docker = new Docker();
const lease = assignment({});
/** Serves its variable, its file, and whether it can change the file. */
const script = `
  const fs = require("node:fs");
  const read = () => fs.readFileSync("/run/secrets/key.pem", "utf8");
  const write = () => { try { fs.writeFileSync("/run/secrets/key.pem", "x"); return true } catch { return false } };
  require("node:http").createServer((request, response) =>
    response.end(JSON.stringify({ token: process.env.TOKEN, file: read(), writes: write() }))).listen(8080);
`;

describe("secrets of a container on a real engine", function () {
  this.timeout(180_000);
  const key = generatePrivateKey();
  const node = privateKeyToAccount(key).address.toLowerCase();
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let market: string;
  let dir: string;

  before(async () => {
    registry = await openRegistry();
    market = randomBytes(4).toString("hex");
    dir = mkdtempSync(join(tmpdir(), "ngpu-secrets-"));
  });
  after(async () => {
    createSecretFiles(`${market}-${node}`).keepOnly(new Set());
    await removeMarket(market);
    registry.stop();
    rmSync(dir, { recursive: true });
  });

  const publication = () =>
    registry.publicationOf("chat", {
      config: {
        command: ["/usr/local/bin/node", "-e", script],
        health: "/",
        secrets: { env: ["TOKEN"], files: ["key.pem"] },
      },
    });
  /** Runs the node until it has reported a code, or until nothing happens. */
  const run = async (order: Partial<AgentOrder>): Promise<Reported[]> => {
    const given = {
      dir,
      market,
      key,
      publication: publication(),
      assignments: [lease],
      killAt: 0,
      secondsSinceContact: 0,
      ...order,
    };
    const path = join(import.meta.dirname, "node/agent.ts");
    const child = spawn(process.execPath, [path, encode(given)], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    if (out === "") throw new Error(errors);
    return (JSON.parse(out) as { reasons: Reported[] }).reasons;
  };
  const containers = () =>
    docker.listContainers({ all: true, filters: { label: [`ngpu.market=${market}`, "ngpu.workspace"] } });
  const served = async () => {
    const [container] = await containers();
    const port = container?.Ports.find(({ PublicPort }) => PublicPort !== undefined)?.PublicPort;
    if (port === undefined) throw new Error("The container has no port.");
    return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Record<string, unknown>;
  };
  const folder = () => createSecretFiles(`${market}-${node}`).find(fencedKey(lease));

  it("start no container while they are missing, and the reason names them", async () => {
    const reasons = await run({ awaits: "secret_missing", endsWhenSaid: true });
    const reason = reasons.find(({ code }) => code === "secret_missing");
    expect(reason?.details).to.deep.equal({ names: ["TOKEN"] });
    expect(parseNodeReason("secret_missing", reason?.details)).not.to.have.property("invalid");
    expect(await containers()).to.deep.equal([]);
  });

  it("are a variable, and a file in memory that the container reads and cannot change", async () => {
    await run({ awaits: null, secrets: { TOKEN: "t0ken", "key.pem": "a key\n" } });
    expect(await served()).to.deep.equal({ token: "t0ken", file: "a key\n", writes: false });
    const path = folder() ?? "";
    expect(statfsSync(path).type).to.equal(0x01021994);
    expect(readdirSync(path)).to.deep.equal(["key.pem"]);
  });

  it("are written again when the machine has lost its memory", async () => {
    const [container] = await containers();
    await docker.getContainer(container?.Id ?? "").stop({ t: 0 });
    createSecretFiles(`${market}-${node}`).keepOnly(new Set());
    expect(folder()).to.equal(undefined);
    await run({ awaits: null, secrets: { TOKEN: "t0ken", "key.pem": "a key\n" } });
    expect((await served()).file).to.equal("a key\n");
  });

  it("are gone with the lease", async () => {
    const path = folder() ?? "";
    expect(existsSync(path)).to.equal(true);
    await run({ assignments: [{ ...lease, ended: true }] });
    expect(await containers()).to.deep.equal([]);
    expect(existsSync(path)).to.equal(false);
  });
});
