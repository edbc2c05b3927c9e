import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { rootDir } from "../support/parts.ts";
import { mutantsOf, seeded, testNames, unmatched } from "./faults.ts";
import { faultSources, fingerprintOf } from "./fingerprint.ts";
import type { Mutant } from "./schemata.ts";

const mutant = (id: number, was: string, now: string): Mutant => {
  return { id, file: "contracts/A.sol", line: 1, operator: "constant", was, now };
};

describe("Faults of Solidity tests", () => {
  it("are listed for every test, and for no other", () => {
    const names = testNames(rootDir);
    expect(names).to.include.members(["test_debtsAddUp", "invariant_noEpochIsPaidByTwo"]);
    expect(unmatched(names)).to.deep.equal({ withoutFault: [], withoutTest: [] });
  });

  it("change text that the contracts have", () => {
    const words = (text: string) => text.replaceAll(/\s+/g, " ").replaceAll(/([([]) /g, "$1");
    const gone = seeded.filter(({ file, was }) => {
      return !words(readFileSync(join(rootDir, "contracts", file), "utf8")).includes(words(was));
    });
    expect(gone).to.deep.equal([]);
  });

  it("are of the sources, not of the compiled contracts in folders with the sources' names", () => {
    expect(fingerprintOf(rootDir, faultSources)).to.match(/^[0-9a-f]{64}$/);
  });

  it("are reported when a test has none, or no longer exists", () => {
    const faults = [{ test: "test_old", file: "A.sol", was: "1", now: "2" }];
    expect(unmatched(["test_new"], faults)).to.deep.equal({
      withoutFault: ["test_new"],
      withoutTest: ["test_old"],
    });
  });

  it("are parts of statements, or complete statements that are removed", () => {
    const mutants = [mutant(1, "a = b + 1;", "a = b + 2;"), mutant(2, "a = b + 1;", ""), mutant(3, "b", "")];
    const ids = (was: string, now: string) =>
      mutantsOf({ test: "", file: "A.sol", was, now }, mutants).map(({ id }) => id);
    expect(ids("+ 1", "+ 2")).to.deep.equal([1]);
    expect(ids("a = b + 1;", "")).to.deep.equal([2]);
    expect(() => ids("+ 1", "+ 3")).to.throw("No fault of contracts/A.sol");
  });
});
