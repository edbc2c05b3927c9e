import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { parseNvidia } from "../../node-client/probe/nvidia.ts";
import { runTool } from "../../node-client/probe/tool.ts";
import { eventually } from "../services/support/context.ts";
import { systemMemoryMib } from "./fixtures/gpuOutputs.ts";

const deadline = 300;
const line = "NVIDIA H200, GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10, 143771, 9.0";

describe("a driver's tool that does not end", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-tool-"));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  /** A tool that writes its process id and then runs the script. */
  const tool = (script: string) => {
    const file = join(dir, "nvidia-smi");
    writeFileSync(file, `#!/bin/bash\necho $$ > ${dir}/pid\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const isGone = () => {
    try {
      process.kill(Number(readFileSync(join(dir, "pid"), "utf8")), 0);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ESRCH";
    }
  };

  for (const [what, script] of Object.entries({
    "says nothing": "while :; do sleep 0.05; done",
    "prints a card and stops": `echo '${line}'; while :; do sleep 0.05; done`,
    "prints for ever": `while :; do echo '${line}'; done`,
    "prints warnings for ever": `echo '${line}'; while :; do echo warning >&2; done`,
    "closes its output and runs on": "exec >&- 2>&-; while :; do sleep 0.05; done",
    "ignores SIGTERM": "trap '' TERM INT HUP; while :; do sleep 0.05; done",
  })) {
    it(`and ${what} is killed, and the driver counts as failed`, async () => {
      const output = await runTool(tool(script), [], deadline);
      expect(output?.failure).to.be.a("string").and.not.equal("");
      expect(output?.stdout.length).to.be.at.most(2 ** 24);
      await eventually("the end of the tool", isGone);
    });
  }

  it("but leaves a child that holds its output: what it printed counts", async () => {
    const output = await runTool(tool(`echo '${line}'; sleep 1000 & echo $! > ${dir}/child`), [], deadline);
    process.kill(Number(readFileSync(join(dir, "child"), "utf8")), "SIGKILL");
    expect(output).to.include({ stdout: `${line}\n`, failure: undefined });
  });

  it("counts with the cards that it printed before", async () => {
    const output = await runTool(tool(`echo '${line}'; exec sleep 1000`), [], deadline);
    if (output === undefined) throw new Error("There is no tool.");
    expect(parseNvidia(output, systemMemoryMib).gpus.map(({ name }) => name)).to.deep.equal(["NVIDIA H200"]);
    await eventually("the end of the tool", isGone);
  });
});
