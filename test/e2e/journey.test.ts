import { expect } from "chai";
import { getAddress } from "viem";
import { z } from "zod";
import { endStarted, lastLine, leftovers, npmStart, removeDir, stateDir } from "./market.ts";
import { journeySchema, journeySteps } from "./result.ts";

describe("npm start -- --once --json", function () {
  this.timeout(300_000);
  const dir = stateDir();
  let code: number | null = null;
  let stdout = "";
  let stderr = "";

  before(async () => {
    const start = npmStart(["--once", "--json", "--state-dir", dir]);
    ({ code } = await start.ended);
    stdout = start.stdout();
    stderr = start.stderr();
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(`${stdout}\n${stderr}\n`);
  });
  after(async () => {
    await endStarted();
    removeDir(dir);
  });

  it("exits with 0, and prints one JSON object of exactly the documented shape last", () => {
    expect(code).to.equal(0);
    expect(z.prettifyError(journeySchema.safeParse(lastLine(stdout)).error ?? new z.ZodError([]))).to.equal(
      "",
    );
  });

  it("reports values that agree with each other", () => {
    const { node, task, epoch, claim, workspace } = journeySchema.parse(lastLine(stdout));
    expect(task.nodeId).to.equal(node.id);
    expect(BigInt(claim.amount) <= BigInt(epoch.total)).to.equal(true);
    expect(getAddress(claim.wallet)).not.to.equal(getAddress(node.address));
    expect(workspace.image).to.match(/\/ngpu\/chat@sha256:/);
  });

  it("lists every step once, each with its duration", () => {
    const { steps } = journeySchema.parse(lastLine(stdout));
    expect(steps.map(({ name }) => name).sort()).to.deep.equal([...journeySteps].sort());
    expect(steps.at(-1)?.name).to.equal("stop");
    for (const line of [
      "OP-stack chain",
      "nodeListen starts the container",
      "The operator's wallet claims its reward",
    ]) {
      expect(stderr).to.match(new RegExp(`✓ ${line} +\\d+\\.\\d s`));
    }
  });

  it("leaves no process, container, network, open port or record", async () => {
    expect(await leftovers(dir)).to.deep.equal([]);
  });
});
