import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { selectStages } from "../../scripts/test/select.ts";
import type { Stage } from "../../scripts/test/stage.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { writeFiles } from "./files.ts";

const stage = (name: string, files?: string[]): Stage => ({
  name,
  group: name,
  slow: name === "docker",
  run: async () => ({ passed: 0, failed: 0 }),
  ...(files === undefined ? {} : { files: () => files }),
});
const stages = [
  { ...stage("style"), group: "check" },
  { ...stage("types"), group: "check" },
  stage("unit", ["test/a.test.ts", "test/deep/b.test.ts"]),
  stage("services", ["test/deep/c.slow.test.ts"]),
  stage("docker", ["test/docker/d.test.ts"]),
];

/** The selected stages, each with its files. */
function selected(
  patterns: string[],
  { only, quick = false, below = "" }: { only?: string; quick?: boolean; below?: string } = {},
) {
  using dir = temporaryDir();
  const files = stages.flatMap((one) => one.files?.("") ?? []);
  writeFiles(dir.path, Object.fromEntries([...files, "test/helper.ts"].map((file) => [file, ""])));
  const currentDir = join(dir.path, below);
  return selectStages(stages, {
    rootDir: dir.path,
    currentDir,
    quick,
    only,
    patterns: patterns.map((pattern) => pattern.replace("<root>", dir.path)),
  }).map((one) => [one.stage.name, ...(one.files ?? ["all"])]);
}

function refusalOf(pattern: string): FatalError {
  try {
    selected([pattern]);
  } catch (error) {
    if (error instanceof FatalError) return error;
    throw error;
  }
  throw new Error(`${pattern} is accepted`);
}

describe("the selection of npm test", () => {
  it("contains all stages, the quick ones, the requested one, or all checks", () => {
    expect(selected([]).map(([name]) => name)).to.deep.equal(stages.map(({ name }) => name));
    expect(selected([], { quick: true }).map(([name]) => name)).to.not.include("docker");
    expect(selected([], { only: "docker", quick: true })).to.deep.equal([["docker", "all"]]);
    expect(selected([], { only: "check" })).to.deep.equal([
      ["style", "all"],
      ["types", "all"],
    ]);
  });

  it("contains each requested file once, in its stage", () => {
    const files = ["test/docker/d.test.ts", "test/a.test.ts", "<root>/test/a.test.ts", "./test/a.test.ts"];
    expect(selected(files)).to.deep.equal([
      ["unit", "test/a.test.ts"],
      ["docker", "test/docker/d.test.ts"],
    ]);
  });

  it("contains the test files of a folder or a glob", () => {
    const deep = [
      ["unit", "test/deep/b.test.ts"],
      ["services", "test/deep/c.slow.test.ts"],
    ];
    expect(selected(["test/deep"])).to.deep.equal(deep);
    expect(selected(["test/deep/"])).to.deep.equal(deep);
    expect(selected(["test/deep/*.test.ts"])).to.deep.equal(deep);
    expect(selected(["test/**/c.*"])).to.deep.equal([["services", "test/deep/c.slow.test.ts"]]);
  });

  it("accepts paths relative to the user's directory", () => {
    expect(selected(["b.test.ts"], { below: "test/deep" })).to.deep.equal([["unit", "test/deep/b.test.ts"]]);
  });

  it("rejects an unknown file, and describes test files in the hint", () => {
    const refusal = refusalOf("test/nope.test.ts");
    expect(refusal).to.include({
      code: "test_file_not_found",
      message: "File test/nope.test.ts does not exist.",
    });
    expect(refusal.hint).to.include("test/**/*.test.ts");
    expect(refusalOf("test/nope/*.test.ts").code).to.equal("test_file_not_found");
    expect(refusalOf("test/helper.ts").message).to.match(/^test\/helper\.ts is neither a test file nor/);
  });
});
