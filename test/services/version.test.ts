import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { rootDir } from "../support/parts.ts";
import { programEnv } from "../support/programEnv.ts";

const { version } = JSON.parse(readFileSync(join(rootDir, "package.json"), "utf8")) as { version: string };
const services = [
  "apiServer",
  "autoExport",
  "dispense",
  "gateway",
  "match",
  "pomc",
  "registry",
  "webhooks",
  "workspace",
];
const scripts = ["start/index", "chaos/index", "test/index", "bench", "deploy", "deployCheck", "migrate"];

describe("the version of a program", function () {
  this.timeout(120_000);

  for (const program of [
    ...services.map((name) => `services/${name}/index.ts`),
    ...scripts.map((name) => `scripts/${name}.ts`),
    "cli/index.ts",
    "node-client/main.ts",
  ]) {
    it(`is printed by ${program} --version without configuration`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(rootDir, program), "--version"], {
        env: programEnv(),
        encoding: "utf8",
      });
      expect({ status, stdout, stderr }).to.deep.equal({ status: 0, stdout: `${version}\n`, stderr: "" });
    });
  }
});

describe("a child logger", () => {
  it("adds its fields to each line and its parent's to its children", () => {
    const lines: Record<string, unknown>[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
    const parent = createLogger("test", "info", { write });
    const child = parent.child({ requestId: "r-1" });
    child.child({ nodeId: 7n }).warn({ event: "inner" });
    child.info({ event: "outer" });
    child.debug({ event: "unseen" });
    parent.info({ event: "parent" });
    expect(lines.map(({ event, requestId, nodeId }) => ({ event, requestId, nodeId }))).to.deep.equal([
      { event: "inner", requestId: "r-1", nodeId: "7" },
      { event: "outer", requestId: "r-1", nodeId: undefined },
      { event: "parent", requestId: undefined, nodeId: undefined },
    ]);
  });
});
