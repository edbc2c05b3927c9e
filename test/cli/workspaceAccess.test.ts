import { expect } from "chai";
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
});
