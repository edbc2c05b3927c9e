import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { temporaryDir } from "../embedded/setup.ts";
import { type LeaseMarket, openLeaseMarket, wallet } from "../services/apiServer/leaseMarket.ts";
import { eventually } from "../services/support/context.ts";
import { timeText } from "../support/outputEngine.ts";
import { type CliOptions, runCli } from "../support/runCli.ts";

const container = "c".repeat(64);
const start = 1_800_000_000_000_000_000n;

describe("a workspace's containers on the command line", function () {
  this.timeout(240_000);
  let market: LeaseMarket;
  let env: Record<string, string>;

  before(async () => {
    market = await openLeaseMarket();
    market.run(container);
    env = { NGPU_API: market.url, NGPU_API_KEY: await market.keyFor(wallet) };
    market.node.output.write(container, start, "loading\n");
    market.node.output.write(container, start + 1n, "no model\n", 2);
    market.node.output.write(container, start + 2n, Buffer.from([0xff, 0x0a]));
  });
  after(() => market.stop());

  const cli = (args: string[], options: CliOptions = {}) => runCli(args, { ...options, env });

  it("prints lines, with their times on request", async () => {
    const plain = await cli(["logs", "1", "--stream", "stdout", "--replica", "0"]);
    expect([plain.code, plain.stderr]).to.deep.equal([0, ""]);
    expect(plain.stdout.startsWith("loading\n")).to.equal(true);
    const timed = await cli(["logs", "1", "--stream", "stderr", "--replica", "0", "--timestamps"]);
    expect(timed.stdout).to.equal(`${timeText(start + 1n)}  no model\n`);
  });

  it("prints entries as JSON, and continues after a cursor", async () => {
    const { stdout } = await cli(["logs", "1", "--replica", "0", "--json"]);
    const entries = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map(({ text, base64 }) => text ?? base64)).to.deep.equal(["loading", "no model", "/w=="]);
    const rest = await cli([
      "logs",
      "1",
      "--replica",
      "0",
      "--cursor",
      entries[0].cursor,
      "--stream",
      "stderr",
    ]);
    expect(rest.stdout).to.equal("no model\n");
    const refused = await cli(["logs", "1", "--cursor", entries[0].cursor]);
    expect([refused.code, refused.stderr]).to.satisfy(
      ([code, text]: [number, string]) => code === 1 && text.includes("(cursor_without_replica)"),
    );
  });

  it("follows until Ctrl-C", async () => {
    const stop = Promise.withResolvers<void>();
    let seen = "";
    const following = cli(["logs", "-f", "1", "--replica", "0", "--stream", "stdout"], {
      interrupted: stop.promise,
      onStdout: (text) => {
        seen += text;
      },
    });
    await eventually("the kept lines", () => seen.startsWith("loading\n"));
    market.node.output.write(container, start + 6n, "later\n");
    await eventually("the next line", () => seen.endsWith("later\n"));
    stop.resolve();
    expect((await following).code).to.equal(130);
  });

  it("runs a command with its input, and ends with its exit code", async () => {
    const ran = await cli(["exec", "-i", "1", "--", "sh", "-c", "cat; echo err >&2; exit 9"], {
      input: "given\n",
    });
    expect([ran.code, ran.stdout, ran.stderr]).to.deep.equal([9, "given\n", "err\n"]);
  });

  it("ends a command at Ctrl-C", async () => {
    const stop = Promise.withResolvers<void>();
    const running = cli(["exec", "1", "--", "sleep", "600"], { interrupted: stop.promise });
    await eventually("the session", async () => {
      const { rows } = await market.db.query(
        "select from app.exec_session where command[1] = 'sleep' and left_at is null",
      );
      return rows.length === 1;
    });
    stop.resolve();
    expect((await running).code).to.equal(130);
    await eventually("its record", async () => {
      const { rows } = await market.db.query(
        "select end_reason from app.exec_session where command[1] = 'sleep'",
      );
      return rows[0]?.end_reason === "ended_by_client";
    });
  });

  it("needs a terminal for a terminal", async () => {
    const { code, stderr } = await cli(["exec", "-it", "1", "--", "sh"]);
    expect([code, stderr.includes("(terminal_missing)")]).to.deep.equal([1, true]);
  });

  it("copies files and folders both ways, byte for byte, with their modes", async () => {
    using dir = temporaryDir();
    const here = (path: string) => join(dir.path, path);
    const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
    mkdirSync(here("in/deep"), { recursive: true });
    mkdirSync(here("container"));
    writeFileSync(here("in/large.bin"), randomBytes(3_000_001));
    writeFileSync(here("in/deep/run.sh"), "true\n");
    writeFileSync(here("in/empty"), "");
    chmodSync(here("in/deep/run.sh"), 0o755);
    symlinkSync("large.bin", here("in/link"));
    const sent = await cli(["cp", here("in"), `1:${here("container")}`, "--json"]);
    expect([sent.code, sent.stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(sent.stdout)).to.deep.equal({ files: 3, bytes: 3_000_006 });
    expect(hashOf(here("container/in/large.bin"))).to.equal(hashOf(here("in/large.bin")));
    expect(statSync(here("container/in/deep/run.sh")).mode & 0o777).to.equal(0o755);
    // A new name, and back.
    expect((await cli(["cp", here("in/large.bin"), `1:${here("container/renamed")}`])).code).to.equal(0);
    const back = await cli(["cp", `1:${here("container/renamed")}`, here("back.bin")]);
    expect([back.code, back.stderr]).to.deep.equal([0, "Copied 1 files, 3000001 bytes.\n"]);
    expect(hashOf(here("back.bin"))).to.equal(hashOf(here("in/large.bin")));
    // A stranger's link is not made on this machine.
    mkdirSync(here("out"));
    const folder = await cli(["cp", `1:${here("container/in/")}`, here("out")]);
    expect([folder.code, folder.stderr.includes("1 links or devices were left out")]).to.deep.equal([
      0,
      true,
    ]);
    expect(readdirSync(here("out/in")).sort()).to.deep.equal(["deep", "empty", "large.bin"]);
  });

  it("says why it could not copy, and writes nothing outside of the target", async () => {
    using dir = temporaryDir();
    const missing = await cli(["cp", `1:${join(dir.path, "none")}`, dir.path]);
    expect([missing.code, missing.stderr.includes("(copy_failed)")]).to.deep.equal([1, true]);
    const away = await cli(["cp", join(dir.path, "none"), "1:/tmp/"]);
    expect([away.code, away.stderr.includes("(file_unreadable)")]).to.deep.equal([1, true]);
    const unclear = await cli(["cp", "a", "b"]);
    expect([unclear.code, unclear.stderr.includes("(copy_unclear)")]).to.deep.equal([1, true]);
  });

  it("uploads, lists, downloads and deletes files, and says what is wrong with the file of a batch", async () => {
    using dir = temporaryDir();
    const [source, target] = [join(dir.path, "lines.jsonl"), join(dir.path, "copy")];
    writeFileSync(source, "{\n");
    const uploaded = await cli(["files", "upload", source, "--keep", "2h", "--json"]);
    expect([uploaded.code, uploaded.stderr]).to.deep.equal([0, ""]);
    const { id, sha256 } = JSON.parse(uploaded.stdout) as { id: string; sha256: string };
    expect((await cli(["files"])).stdout).to.include(`${id}  lines.jsonl  user_data`);
    expect((await cli(["files", "download", `sha256:${sha256}`, "-o", target])).code).to.equal(0);
    expect(readFileSync(target).equals(readFileSync(source))).to.equal(true);
    expect((await cli(["files", "download", id])).stdout).to.equal("{\n");
    const batch = await cli(["batches", "create", id, "--wait"]);
    expect([batch.code, batch.stdout.includes("line 1: line_json_invalid")]).to.deep.equal([3, true]);
    expect((await cli(["batches"])).stdout).to.match(/^batch_\w+ +failed +0\/0/m);
    expect((await cli(["files", "rm", id])).stdout).to.equal(`Deleted ${id}.\n`);
    const gone = await cli(["batches", "create", id]);
    expect([gone.code, gone.stderr.includes("(file_not_found, request ")]).to.deep.equal([1, true]);
  });
});
