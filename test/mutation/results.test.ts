import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { temporaryDir } from "../embedded/setup.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { resumptionOf, stillFound } from "./results.ts";

const found = { id: 1, killedBy: "Escrow pays" };
const survived = { id: 2 };
const unmet = { id: 3, uncovered: true };
const previous = { contracts: "c", tests: "t", results: [found, survived, unmet] };

describe("Results of mutation testing", () => {
  it("all hold for the same contracts and the same tests", () => {
    expect(resumptionOf(previous, { contracts: "c", tests: "t" })).to.deep.equal({
      kind: "go on",
      results: previous.results,
    });
  });

  it("hold no survivor once the tests are others, so that it is tried again", () => {
    expect(resumptionOf(previous, { contracts: "c", tests: "more" })).to.deep.equal({
      kind: "record again",
      results: [found],
    });
  });

  it("hold nothing for other contracts", () => {
    expect(resumptionOf(previous, { contracts: "d", tests: "t" })).to.deep.equal({ kind: "begin" });
    expect(resumptionOf(undefined, { contracts: "c", tests: "t" })).to.deep.equal({ kind: "begin" });
  });

  it("keep a find as long as the test that made it passes without a fault", () => {
    const record = { deployment: [], failed: [], tests: [{ title: "Escrow pays", duration: 1, passed: [] }] };
    const gone = { id: 4, killedBy: "Escrow paid once" };
    const ended = { id: 5, killedBy: "the tests' process ended" };
    expect(stillFound([found, gone, ended, survived], record)).to.deep.equal([found, ended]);
  });

  it("know other tests by a file's content and by its name", () => {
    using dir = temporaryDir();
    const write = (file: string, text: string) => writeFileSync(join(dir.path, "test", file), text);
    mkdirSync(join(dir.path, "test"));
    write("a.ts", "1");
    const print = () => fingerprintOf(dir.path, ["test/*.ts"]);
    const before = print();
    write("a.md", "1");
    expect(print()).to.equal(before);
    write("a.ts", "2");
    const after = print();
    write("b.ts", "");
    expect(new Set([before, after, print()]).size).to.equal(3);
  });
});
