import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { placementPreferences } from "@ngpu/protocol/placement/preferences";
import { strategyTexts } from "@ngpu/protocol/placement/strategies";
import { expect } from "chai";
import { encodeFunctionData, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { rootDir } from "../../support/parts.ts";
import { openDocsMarket } from "./docsMarket.ts";
import { type Block, blocksOf, callOf, differences, type Outcome, openShell, pageText } from "./docsPages.ts";
import { image } from "./partner.ts";
import type { ApiMarket } from "./setup.ts";

describe("partner-docs", function () {
  this.timeout(300_000);
  let api: ApiMarket;
  let market: Awaited<ReturnType<typeof openDocsMarket>>;
  let folder: string;
  before(async () => {
    market = await openDocsMarket();
    ({ api } = market);
    folder = mkdtempSync(join(tmpdir(), "ngpu-docs-"));
  });
  after(async () => {
    await market.stop();
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

  // Commands run in one language: the other one has the same.
  const english = "en.md";

  for (const file of [english, "zh.md"]) {
    it(`${file}: names every strategy and every placement preference`, () => {
      const page = readFileSync(join(rootDir, "partner-docs", file), "utf8");
      for (const name of [...Object.keys(strategyTexts), ...Object.keys(placementPreferences.shape)]) {
        expect(page).to.include(`\`${name}\``);
      }
    });

    it(`${file}: shows answers that the OpenAPI document allows, in blocks of known languages`, () => {
      const blocks = blocksOf(file);
      for (const [index, { language, text }] of blocks.entries()) {
        expect(["bash", "json", "text"]).to.include(language);
        if (language !== "json") continue;
        const call = callOf(blocks[index - 1] as Block);
        expect(call, text).not.to.equal(undefined);
        const headers = new Headers({ "x-request-id": "page", "content-type": "application/json" });
        const answered = { method: "", path: "", ...call, status: 200, headers, body: text };
        expect(api.contract.errorsOf(answered), text).to.deep.equal([]);
      }
    });

    it(`${file}: uses the variables of the command line`, () => {
      const cli = readFileSync(join(rootDir, "cli/program.ts"), "utf8");
      const known = new Set([...cli.matchAll(/(?:\.env\("|process\.env\.)(\w+)/g)].map(([, name]) => name));
      const used = new Set([...pageText(file).matchAll(/\bNGPU_\w+/g)].map(([name]) => name));
      expect([...used].sort()).to.deep.equal(["NGPU_API", "NGPU_API_KEY"]);
      for (const name of used) expect(known).to.include(name);
    });
  }

  it("has the same commands and answers in both languages", () => {
    expect(blocksOf("zh.md")).to.deep.equal(blocksOf(english));
  });

  it("a new wallet runs every command in order, and gets what the page shows", async () => {
    await using shell = openShell(folder);
    const here = (text: string) => placed(text, { api, folder, file: english });
    let last: Outcome | undefined;
    for (const { language, text } of blocksOf(english)) {
      if (language === "bash") {
        last = await shell.run(here(text));
        expect(last.code, `${text}${last.output}${last.errors}`).to.equal(0);
        continue;
      }
      const output = last?.output ?? "";
      if (language === "json") {
        const differing = differences(JSON.parse(text), JSON.parse(output));
        expect(differing, `${output} after ${text}`).to.deep.equal([]);
      } else expect(differences(text.trim(), output.trim())).to.deep.equal([]);
    }
    const { rows } = await api.db.query(
      "select status from chain.workspace order by workspace_id desc limit 1",
    );
    expect(rows[0]).to.deep.equal({ status: "closed" });
  });

  it("each command exits with an error when its call or task fails", async () => {
    await using shell = openShell(folder);
    const here = (text: string) => placed(text, { api, folder, file: `failing-${english}` });
    const blocks = blocksOf(english).filter(({ language }) => language === "bash");
    const runs = /\/v1\/(tasks \\|chat\/completions)/;
    const isTask = ({ text }: Block) => runs.test(text);
    expect(blocks.filter(isTask)).to.have.lengthOf(3);
    for (const block of blocks.slice(0, 1 + blocks.findLastIndex(isTask))) {
      market.chat.fails = isTask(block);
      const { code, output } = await shell.run(here(block.text));
      expect(code === 0, `${block.text}${output}`).to.equal(!isTask(block));
    }
    market.chat.fails = false;
    // With a key that is not valid every call of a partner fails.
    await shell.run("NGPU_API_KEY=none");
    for (const { text } of blocks.filter((block) => block.text.includes("$NGPU_API_KEY"))) {
      expect((await shell.run(here(text))).code, text).not.to.equal(0);
    }
  });

  it("lists every error code of the API, in both languages", () => {
    const page = (file: string) => readFileSync(join(rootDir, "partner-docs", file), "utf8");
    const named = (text: string) => [...text.matchAll(/`([a-z]+(?:_[a-z]+)*)`/g)].map((found) => found[1]);
    const service = join(rootDir, "services/apiServer");
    // The first two are of the start, the third is zod's.
    const notAnswered = ["redis_unreachable", "templates_invalid", "custom"];
    const thrown = readdirSync(service, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [
        ...readFileSync(join(service, file), "utf8").matchAll(
          /(?:code: |refusal\(\s*|new TaskError\([^,]+, )"([a-z_]+)"/g,
        ),
      ])
      .map((found) => found[1])
      .filter((code) => code !== undefined && !notAnswered.includes(code));
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
    const key = /NGPU_API_KEY=(\S+)/.exec(joined.output)?.[1] ?? "";
    const exampleArgs = [
      fileURLToPath(import.meta.resolve("../../../partner-docs/examples/run.ts")),
      "--api",
      api.url,
    ];
    const example = await run(process.execPath, [...exampleArgs, "--key", key, "--image", image]);
    expect(`${example.code} ${example.errors}`).to.equal("0 ");
    expect(example.output).to.include('"role": "assistant"').and.to.include("The workspace is deleted.");
    market.chat.fails = true;
    const failed = await run(process.execPath, [...exampleArgs, "--key", key, "--image", image]);
    market.chat.fails = false;
    expect(`${failed.code} ${failed.errors}`).to.match(/^1 The task failed/);
    expect(failed.output).to.include("The workspace is deleted.");
  });
});

/** A block for this market: its address and its image, and files in a folder of the test's. */
function placed(
  text: string,
  { api, folder, file }: { api: ApiMarket; folder: string; file: string },
): string {
  const chatImage = join(folder, "chat-image");
  writeFileSync(chatImage, `${image}\n`);
  return text
    .replaceAll("http://127.0.0.1:8080", api.url)
    .replaceAll("partner.key", join(folder, `${file}.key`))
    .replaceAll("ngpu.env", join(folder, `${file}.env`))
    .replaceAll(".ngpu/chat-image", chatImage);
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
