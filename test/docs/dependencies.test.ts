import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { z } from "zod";

const rootDir = join(import.meta.dirname, "../..");
const names = z.record(z.string(), z.string()).default({});
const manifestSchema = z.object({ dependencies: names, devDependencies: names });
const rootSchema = z.object({ workspaces: z.array(z.string()).min(1) });

const read = (file: string) => readFileSync(join(rootDir, file), "utf8");

/** The manifests of the repository and of each of its workspaces. */
function manifests() {
  const { workspaces } = rootSchema.parse(JSON.parse(read("package.json")));
  const files = globSync(
    workspaces.map((workspace) => `${workspace}/package.json`),
    { cwd: rootDir },
  );
  expect(files.length).to.be.greaterThan(workspaces.length);
  return ["package.json", ...files].map((file) => manifestSchema.parse(JSON.parse(read(file))));
}

/** Packages from the registry, sorted: all that any of the records names. */
function packagesIn(records: Record<string, string>[]): string[] {
  const found = new Set(records.flatMap((record) => Object.keys(record)));
  return [...found].filter((name) => !name.startsWith("@ngpu/")).sort();
}

/** The lines of a section: `name: reason`. */
function listed(section: string): { name: string; reason: string }[] {
  return [...section.matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, name = "", reason = ""]) => ({
    name,
    reason,
  }));
}

describe("docs/dependencies.md", () => {
  const [, run = "", build = ""] = read("docs/dependencies.md").split(/^## .*$/m);
  const found = manifests();
  const needed = packagesIn(found.map(({ dependencies }) => dependencies));

  it("lists every dependency of every workspace, and no other package", () => {
    expect(
      listed(run)
        .map(({ name }) => name)
        .sort(),
    ).to.deep.equal(needed);
  });

  it("lists every package that occurs in devDependencies only, and no other", () => {
    const development = packagesIn(found.map(({ devDependencies }) => devDependencies));
    expect(
      listed(build)
        .map(({ name }) => name)
        .sort(),
    ).to.deep.equal(development.filter((name) => !needed.includes(name)));
  });

  it("gives a reason for each package", () => {
    for (const { name, reason } of [...listed(run), ...listed(build)]) {
      expect(reason, name).to.have.length.greaterThan(5);
    }
  });
});
