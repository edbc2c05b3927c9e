import type { JudgedWave } from "@ngpu/waves/history";
import { expect } from "chai";
import { isEnough } from "../../../services/apiServer/judgedWaves.ts";
import { challengedOf, rules, verdictOn } from "../../packages/waves/facts.ts";

describe("apiServer: the waves that a node's proof needs", () => {
  const wave = (stated: readonly (number | undefined)[]) =>
    ({ challenged: challengedOf(10), rules, verdict: verdictOn(stated).verdict }) as unknown as JudgedWave;
  const passed = wave(Array(7).fill(undefined));
  const undecided = wave([0, 0, ...Array(5).fill(undefined)]);

  it("are as many as count, and undecided ones do not", () => {
    expect(isEnough(Array(rules.counted).fill(undecided), 1)).to.equal(false);
    const others = Array(rules.counted - 1).fill(passed);
    expect(isEnough([undecided, ...others], 1)).to.equal(false);
    expect(isEnough([undecided, ...others, passed], 1)).to.equal(true);
  });
});
