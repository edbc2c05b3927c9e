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

describe("outcomes of Solidity tests under faults", () => {
  it("are read for each test, with the message of a failure", () => {
    expect([...outcomesIn(output)]).to.deep.equal([
      ["test_debtsAddUp", { passed: true }],
      ["invariant_noEpochIsPaidByTwo", { passed: false, reason: "two paid one epoch" }],
    ]);
  });

  it("find a fault only if the test passes without it", () => {
    const failed = { passed: false, reason: "why" } as const;
    const passed = { passed: true } as const;
    expect(verdictOf(passed, failed)).to.deep.equal({ kind: "finds", reason: "why" });
    expect(verdictOf(passed, passed)).to.deep.equal({ kind: "survives" });
    expect(verdictOf(failed, failed)).to.deep.equal({ kind: "fails without a fault", reason: "why" });
    expect(verdictOf(undefined, failed).kind).to.equal("fails without a fault");
  });

  it("do not find a fault that prevents the set-up", () => {
    const broken = "  1) MarketInvariants#setUp()\n    Error: revert\n";
    const under = outcomesIn(broken).get("invariant_leasesOnlyRise");
    expect(verdictOf({ passed: true }, under)).to.deep.equal({ kind: "breaks the set-up" });
  });
});
