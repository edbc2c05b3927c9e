import { expect } from "chai";
import { outcomesIn, verdictOf } from "./outcomes.ts";

const output = `
Running Solidity tests

  test/contracts/solidity/Libraries.fuzz.sol:LibrariesFuzz
    ✔ test_debtsAddUp(uint64,uint64) (runs: 100)
    1) invariant_noEpochIsPaidByTwo()

  1 passing
  1 failing

  1) RewardGenerationInvariants#invariant_noEpochIsPaidByTwo()
    Error: two paid one epoch
`;

describe("Outcomes of Solidity tests under faults", () => {
  it("are read by the test, with what a failure says", () => {
    expect([...outcomesIn(output)]).to.deep.equal([
      ["test_debtsAddUp", { passed: true }],
      ["invariant_noEpochIsPaidByTwo", { passed: false, reason: "two paid one epoch" }],
    ]);
  });

  it("are a find only of a test that passes without the fault", () => {
    const failed = { passed: false, reason: "why" } as const;
    const passed = { passed: true } as const;
    expect(verdictOf(passed, failed)).to.deep.equal({ kind: "finds", reason: "why" });
    expect(verdictOf(passed, passed)).to.deep.equal({ kind: "misses" });
    expect(verdictOf(failed, failed)).to.deep.equal({ kind: "fails without a fault", reason: "why" });
    expect(verdictOf(undefined, failed).kind).to.equal("fails without a fault");
  });

  it("are no find where the fault lets the test not even begin", () => {
    const broken = "  1) MarketInvariants#setUp()\n    Error: revert\n";
    const under = outcomesIn(broken).get("invariant_leasesOnlyRise");
    expect(verdictOf({ passed: true }, under)).to.deep.equal({ kind: "breaks the set-up" });
  });
});
