import { countedWaves, type Rules } from "@ngpu/waves/rules";
import { noShares, provenBy } from "@ngpu/waves/shares";
import { standingOf } from "@ngpu/waves/standing";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";
import { figures, rules } from "./facts.ts";

type Outcome = "passed" | "failed" | "kept" | "undecided";
const verdict = (outcome: Outcome) => ({
  outcome,
  proven: outcome === "passed" ? figures : provenBy(figures, noShares),
});
const standing = (outcomes: readonly Outcome[], own: Rules = rules) =>
  standingOf(outcomes.map(verdict), figures, own);
const passes = (count: number): Outcome[] => Array(count).fill("passed");
const others = countedWaves(rules) - 1;

describe("an excuse", () => {
  for (const last of ["failed", "kept", "undecided"] as const) {
    it(`lets a device share that passed all other waves, and ${last === "kept" ? "was leased" : last} in the last`, () => {
      expect(standing([...passes(others), last])).to.deep.include({
        paid: true,
        earns: true,
        proven: figures,
      });
      expect(standing([...passes(others - 1), last]).earns).to.equal(false);
      expect(standing(["failed", ...passes(others - 1), last]).earns).to.equal(false);
      expect(standing(["kept", ...passes(others - 1), last]).earns).to.equal(false);
    });
  }

  it("is for one wave in as many as standings look back on, where a device fails or is leased", () => {
    for (const missed of ["failed", "kept"] as const) {
      expect(standing([...passes(others), missed, missed]).earns).to.equal(false);
      expect(standing([...passes(others), missed, ...passes(others - 1), "failed"]).earns).to.equal(false);
      expect(standing([...passes(others), missed, ...passes(others), "failed"]).earns).to.equal(true);
    }
  });

  it("counts no more than the device proved when it last passed", () => {
    const less = { ...figures, bytes: figures.bytes / 2n };
    const history = [
      ...passes(others - 1).map(verdict),
      { ...verdict("passed"), proven: less },
      verdict("failed"),
    ];
    expect(standingOf(history, figures, rules).proven.bytes).to.equal(less.bytes);
  });

  it("holds for a device that never failed, though measurers disagree about most of its waves", () => {
    const history = Array.from(
      { length: others },
      (_, wave): Outcome => (wave % 3 === 0 ? "passed" : "undecided"),
    );
    expect(standing([...history, ...Array(8).fill("undecided")]).earns).to.equal(true);
    expect(standing([...history, ...Array(rules.keptWaves + 1).fill("undecided")]).earns).to.equal(false);
  });

  const short: Rules = { ...rules, keptWaves: 6 };
  // In one wave one box answers for one of its names; the others are silent, or rented by their owner.
  const shared: [Outcome, Outcome][] = [
    ["passed", "failed"],
    ["failed", "passed"],
    ["passed", "kept"],
    ["kept", "passed"],
    ["undecided", "kept"],
    ["kept", "undecided"],
    ["failed", "failed"],
    ["kept", "kept"],
  ];
  const turns = fc.array(fc.tuple(fc.constantFrom(...shared), fc.integer({ min: 1, max: 12 })), {
    minLength: 2,
    maxLength: 16,
  });

  it("never lets two names on one box share at once, whoever answers and whoever is rented", () => {
    fc.assert(
      fc.property(turns, (given) => {
        const waves = given.flatMap(([wave, count]) => Array<(typeof shared)[number]>(count).fill(wave));
        for (let end = 1; end <= waves.length; end++) {
          const seen = waves.slice(Math.max(0, end - countedWaves(short)), end);
          const earning = [0, 1].filter(
            (name) =>
              standing(
                seen.map((wave) => wave[name] as Outcome),
                short,
              ).earns,
          );
          expect(earning.length).to.be.at.most(1);
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it("adds at most one wave to as many as standings look back on, whatever a name does", () => {
    const outcome = fc.constantFrom<Outcome>("passed", "passed", "passed", "failed", "kept");
    const history = fc.array(fc.tuple(outcome, fc.integer({ min: 1, max: 14 })), { maxLength: 20 });
    fc.assert(
      fc.property(history, (given) => {
        const waves = given.flatMap(([of, count]) => Array<Outcome>(count).fill(of));
        const earned = waves.filter(
          (_, end) => standing(waves.slice(Math.max(0, end + 1 - countedWaves(short)), end + 1), short).earns,
        ).length;
        const passed = waves.filter((of) => of === "passed").length;
        expect(earned).to.be.at.most(passed + Math.floor(passed / (countedWaves(short) - 1)));
      }),
      { numRuns: runs(300) },
    );
  });
});
