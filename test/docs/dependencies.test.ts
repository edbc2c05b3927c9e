import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { z } from "zod";
import { rootDir } from "../support/parts.ts";

const names = z.record(z.string(), z.string());
const manifest = z.object({ dependencies: names, devDependencies: names });

describe("docs/dependencies.md", () => {
  const listed = [
    ...readFileSync(join(rootDir, "docs/dependencies.md"), "utf8").matchAll(/^\| `([^`]+)` *\| (.*?) *\|$/gm),
  ].map(([, name, reason]) => ({ name, reason }));

  it("says of every package why it is there, and of no other", () => {
    const found = manifest.parse(JSON.parse(readFileSync(join(rootDir, "package.json"), "utf8")));
    const packages = Object.keys({ ...found.dependencies, ...found.devDependencies });
    expect(listed.map(({ name }) => name).sort()).to.deep.equal(packages.sort());
  });

  it("gives each a reason", () => {
    for (const { name, reason } of listed) expect(reason, name).to.have.length.greaterThan(5);
  });
});
