import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { placementPreferences, strategyTexts } from "@ngpu/protocol/placement/preferences";
import { rest } from "@ngpu/runtime/loop";
import { expect } from "chai";
import { encodeFunctionData, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { rootDir } from "../../support/parts.ts";
import type { NodeServer } from "../gateway/node.ts";
import { bringUp, image } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

/** A container that answers every chat with one sentence. */
const chat: NodeServer = (incoming, outgoing) => {
  incoming.resume();
  incoming.once("end", () => {
    if (incoming.url?.endsWith("/healthz")) {
      outgoing.writeHead(200);
      outgoing.end("ok");
      return;
    }
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    outgoing.write(
      `data: ${JSON.stringify({ choices: [{ delta: { content: "A lease is a number." } }] })}\n\n`,
    );
    outgoing.end("data: [DONE]\n\n");
  });
};

const blocksOf = (file: string) =>
  [...readFileSync(join(rootDir, "partner-docs", file), "utf8").matchAll(/^```bash\n(.*?)^```$/gms)].map(
    (found) => String(found[1]),
  );

describe("partner-docs", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let folder: string;
  const ended = new AbortController();
  let keeper: Promise<void>;
  before(async () => {
    api = await setup({ limits: { signIn: 1_000, perKey: 100_000 }, explains: true });
    folder = mkdtempSync(join(tmpdir(), "ngpu-docs-"));
    const nodeId = await api.addServingNode("docs", chat);
    keeper = runAllWorkspaces(api, nodeId, ended.signal);
  });
  after(async () => {
    ended.abort();
    await keeper;
    await api.stop();
    rmSync(folder, { recursive: true });
  });

  /** Creates a wallet with tokens and returns the file with its key. */
  const newWallet = async (name: string) => {
    const key = generatePrivateKey();
    const args = [privateKeyToAccount(key).address, parseEther("20")] as const;
    await api.chain.call(
      "treasury",
      "Token",
      encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args }),
    );
    const file = join(folder, name);
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    return file;
  };

  for (const file of ["en.md", "zh.md"]) {
    it(`${file}: names every strategy and every placement preference`, () => {
      const page = readFileSync(join(rootDir, "partner-docs", file), "utf8");
      for (const name of [...Object.keys(strategyTexts), ...Object.keys(placementPreferences.shape)]) {
        expect(page).to.include(`\`${name}\``);
      }
    });

    it(`${file}: every command works as written, from sign-in to deletion`, async () => {
      const wallet = await newWallet(`${file}.key`);
      const script = blocksOf(file)
        .join("\n")
        .replaceAll("http://127.0.0.1:8080", api.url)
        .replaceAll("partner.key", wallet)
        .replaceAll("ngpu.env", join(folder, `${file}.env`));
      expect(script).to.include(image);
      const { code, output, errors } = await run("bash", ["-euo", "pipefail", "-c", script]);
      expect(`${code} ${errors}`).to.equal("0 ");
      expect(output).to.include("A lease is a number.").and.to.include('"status":"succeeded"');
      const { rows } = await api.db.query(
        "select status from chain.workspace order by workspace_id desc limit 1",
      );
      expect(rows[0]).to.deep.equal({ status: "closed" });
    });
  }

  it("has the same commands in both languages", () => {
    const commands = (file: string) => blocksOf(file).join("\n");
    expect(commands("zh.md")).to.equal(commands("en.md"));
  });

  it("lists every error code of the API, in both languages", () => {
    const page = (file: string) => readFileSync(join(rootDir, "partner-docs", file), "utf8");
    const named = (text: string) => [...text.matchAll(/`([a-z]+(?:_[a-z]+)*)`/g)].map((found) => found[1]);
    const service = join(rootDir, "services/apiServer");
    const startUp = ["redis_unreachable"];
    const thrown = readdirSync(service, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [
        ...readFileSync(join(service, file), "utf8").matchAll(
          /(?:code: |refusal\(\s*|new TaskError\([^,]+, )"([a-z_]+)"/g,
        ),
      ])
      .map((found) => found[1])
      .filter((code) => code !== undefined && !startUp.includes(code));
    expect(thrown).to.include.members(["siwe_chain_mismatch", "task_interrupted", "workspace_not_found"]);
    for (const file of ["en.md", "zh.md"]) {
      const missing = thrown.filter((code) => !named(page(file)).includes(code));
      expect(missing, file).to.deep.equal([]);
    }
  });

  it("runs the examples", async () => {
    const wallet = await newWallet("example.key");
    const joined = await run(process.execPath, [
      fileURLToPath(import.meta.resolve("../../../partner-docs/examples/join.ts")),
      "--api",
      api.url,
      "--wallet",
      wallet,
      "--deposit",
      "2",
    ]);
    expect(joined.errors).to.equal("");
    const key = /NGPU_KEY=(\S+)/.exec(joined.output)?.[1] ?? "";
    const example = await run(process.execPath, [
      fileURLToPath(import.meta.resolve("../../../partner-docs/examples/run.ts")),
      "--api",
      api.url,
      "--key",
      key,
      "--image",
      image,
    ]);
    expect(`${example.code} ${example.errors}`).to.equal("0 ");
    expect(example.output).to.include("A lease is a number.").and.to.include("The workspace is deleted.");
  });
});

/** Acts as the rest of the market: assigns and runs every open workspace. */
async function runAllWorkspaces(api: ApiMarket, nodeId: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { rows } = await api.db.query<{ id: string }>(
      `select workspace_id::text as id from chain.workspace
       where status = 'open' and workspace_id not in (select workspace_id from chain.assignment)`,
    );
    for (const { id } of rows) await bringUp(api, id, { name: "docs", nodeId });
    await rest(100, signal);
  }
}

async function run(
  command: string,
  args: string[],
): Promise<{ code: number; output: string; errors: string }> {
  const child = spawn(command, args, { cwd: rootDir, stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, output, errors };
}
