import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

const rootDir = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(rootDir, file), "utf8");

describe("The page of attacks", () => {
  const page = read("docs/contracts/attacks.md").replaceAll(/\s+/g, " ");

  it("names only tests, invariants and errors that exist", () => {
    const tests = globSync("test/{cli,contracts,services,node-client}/**/*.{test.ts,sol}", { cwd: rootDir })
      .map(read)
      .join("\n");
    const sources = globSync("contracts/{,*/}*.sol", { cwd: rootDir }).map(read).join("\n");
    const titles = [...page.matchAll(/(?<=[ (])_([^_]+)_(?=[ ,.]|$)/g)].map(([, title = ""]) => title);
    expect(titles.length).to.be.greaterThan(30);
    expect(titles.filter((title) => !tests.includes(`("${title}"`))).to.deep.equal([]);
    const words = [...page.matchAll(/`(\w+)`/g)].map(([, word = ""]) => word);
    const invariants = words.filter((word) => word.startsWith("invariant_"));
    expect(invariants.filter((word) => !tests.includes(`function ${word}(`))).to.deep.equal([]);
    const errors = words.filter((word) => /^[A-Z]/.test(word) && word !== "RelayLimitExceeded");
    expect(errors.filter((word) => !sources.includes(`error ${word}(`))).to.deep.equal([]);
  });
});
