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

describe("results of mutation testing", () => {
  it("are all kept for the same contracts and the same tests", () => {
    expect(resumptionOf(previous, { contracts: "c", tests: "t" })).to.deep.equal({
      kind: "resume",
      results: previous.results,
    });
  });

  it("lose the survivors after a change of the tests, so that they are repeated", () => {
    expect(resumptionOf(previous, { contracts: "c", tests: "more" })).to.deep.equal({
      kind: "record again",
      results: [found],
    });
  });

  it("are all discarded for other contracts", () => {
    expect(resumptionOf(previous, { contracts: "d", tests: "t" })).to.deep.equal({ kind: "start" });
    expect(resumptionOf(undefined, { contracts: "c", tests: "t" })).to.deep.equal({ kind: "start" });
  });

  it("keep a found fault while its test passes without a fault", () => {
    const record = { deployment: [], failed: [], tests: [{ title: "Escrow pays", duration: 1, passed: [] }] };
    const gone = { id: 4, killedBy: "Escrow paid once" };
    const ended = { id: 5, killedBy: "the tests' process ended" };
    expect(stillFound([found, gone, ended, survived], record)).to.deep.equal([found, ended]);
  });

  it("detect changed tests by the content and the name of a file", () => {
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
