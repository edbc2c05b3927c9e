import { globSync } from "node:fs";
import { expect } from "chai";
import { stages } from "../../scripts/test/stages.ts";
import { unitFiles } from "../../scripts/test/unit.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";
import { writeFiles } from "./files.ts";

/** Whether a test file is a unit test, given other files. */
function isUnit(text: string, { name = "test/a.test.ts", files = {} } = {}): boolean {
  using dir = temporaryDir();
  writeFiles(dir.path, { ...files, [name]: text });
  return unitFiles(dir.path, [name]).length === 1;
}

describe("unit tests", () => {
  it("are those that start no process", () => {
    expect(isUnit('import { a } from "../services/a.ts";')).to.equal(true);
    expect(isUnit('import { spawn } from "node:child_process";')).to.equal(false);
    expect(isUnit('import { spawn } from "node:child_process";', { name: "test/deep/a.test.ts" })).to.equal(
      false,
    );
  });

  it("exclude tests whose helpers start one, through any number of files", () => {
    const files = {
      "test/support/database.ts": 'import { start } from "../../scripts/start.ts";',
      "scripts/start.ts": 'export { lock } from "./lock.mjs";',
      "scripts/lock.mjs": 'import { execFileSync } from "node:child_process";',
    };
    expect(isUnit('import { a } from "./support/database.ts";', { files })).to.equal(false);
    expect(isUnit('const { a } = await import("./support/database.ts");', { files })).to.equal(false);
  });

  it("may test code that can start one", () => {
    const files = { "services/a.ts": 'import { spawn } from "node:child_process";' };
    expect(isUnit('import { a } from "../services/a.ts";', { files })).to.equal(true);
  });

  it("may import types of files that start one", () => {
    const files = { "scripts/a.ts": 'import { spawn } from "node:child_process";\nexport type A = 1;' };
    expect(isUnit('import type { A } from "../scripts/a.ts";', { files })).to.equal(true);
    expect(isUnit('import { type A, a } from "../scripts/a.ts";', { files })).to.equal(false);
  });

  it("exclude files with a slow name", () => {
    expect(isUnit("", { name: "test/a.slow.test.ts" })).to.equal(false);
  });

  it("and the other stages contain each test file of this checkout exactly once", () => {
    const filesOf = (name: string) => stages.find((stage) => stage.name === name)?.files?.(rootDir) ?? [];
    expect(filesOf("unit")).to.include("test/packages/placement/decide.test.ts");
    expect(filesOf("services")).to.include("test/services/autoExport/projections.test.ts");
    expect(filesOf("services")).to.include("test/services/match/presence.test.ts");
    const staged = stages.flatMap(({ files }) => files?.(rootDir) ?? []);
    expect(new Set(staged).size).to.equal(staged.length);
    expect(staged).to.include.members(globSync("test/**/*.test.ts", { cwd: rootDir }));
  });
});
