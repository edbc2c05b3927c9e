import { countedOf } from "@ngpu/proof/proven";
import { rulesFor } from "@ngpu/waves/rules";
import { allShares, provenBy, sharesOf } from "@ngpu/waves/shares";
import { standingOf } from "@ngpu/waves/standing";
import { waveVerdict } from "@ngpu/waves/verdict";
import { expect } from "chai";
import fc from "fast-check";
import { challengedOf, figures, rules, shares, statementOf, verdictOn } from "./facts.ts";

const share = fc.integer({ min: 0, max: 255 });

describe("the verdict on a wave", () => {
  it("passes a device that no measurer lists", () => {
    const { verdict, device } = verdictOn(Array(7).fill(undefined));
    expect(verdict.held).to.equal(true);
    expect(device).to.include({ outcome: "passed", contested: false });
    expect(device?.proven).to.deep.equal(figures);
  });

  it("passes a device whose message to one measurer was lost", () => {
    const { device } = verdictOn([0, ...Array(6).fill(undefined)]);
    expect(device).to.include({ outcome: "passed", contested: false });
  });

  it("decides nothing about a device that five of seven measurers pass, unless evidence shows it", () => {
    const stated = [0, 0, ...Array(5).fill(undefined)];
    expect(verdictOn(stated).device).to.include({ outcome: "undecided", contested: true });
    expect(verdictOn([...Array(5).fill(0), undefined, undefined]).device?.outcome).to.equal("undecided");
    expect(verdictOn([...Array(6).fill(0), 203]).device).to.include({ outcome: "failed", contested: true });
    expect(verdictOn(stated, {}, shares(0)).device).to.include({ outcome: "failed", contested: false });
    expect(verdictOn(stated, {}, shares(255)).device).to.include({ outcome: "passed", contested: false });
  });

  it("fails a dead device that one of seven measurers passes, and keeps it if it is leased", () => {
    const stated = [...Array(6).fill(0), undefined];
    expect(verdictOn(stated).device).to.include({ outcome: "failed", contested: true });
    expect(verdictOn(stated, { leased: true }).device?.outcome).to.equal("kept");
    expect(verdictOn([...Array(5).fill(0), undefined, undefined], { leased: true }).device?.outcome).to.equal(
      "kept",
    );
    expect(verdictOn([0, undefined], {}).device?.outcome).to.not.equal("passed");
  });

  it("passes by evidence a device that six of seven measurers deny", () => {
    expect(verdictOn(Array(7).fill(0), {}, shares(240)).device).to.deep.include({
      outcome: "passed",
      shares: shares(240),
    });
  });

  it("lowers by evidence what all measurers state", () => {
    const { device } = verdictOn(Array(7).fill(undefined), {}, shares(10));
    expect(device).to.include({ outcome: "failed" });
  });

  it("hears no measurer of the node's own operator", () => {
    const { device } = verdictOn([undefined, ...Array(6).fill(0)], { operator: "measurer 1" });
    expect(device).to.deep.include({ outcome: "failed", measurers: [2, 3, 4, 5, 6, 7] });
  });

  it("keeps the last proof of a leased device that does not answer, and judges one that does", () => {
    expect(verdictOn(Array(7).fill(0), { leased: true }).device?.outcome).to.equal("kept");
    expect(verdictOn(Array(7).fill(90), { leased: true }).device?.outcome).to.equal("failed");
    expect(verdictOn(Array(7).fill(undefined), { leased: true }).device?.outcome).to.equal("passed");
  });

  it("judges no device that no key claimed", () => {
    const statements = [1, 2, 3, 4].map((id) => statementOf(id, { 99: shares(0) }));
    const verdict = waveVerdict({ challenged: challengedOf(3), statements }, rules);
    expect(verdict.devices.map(({ nodeId }) => nodeId)).to.deep.equal([1, 2, 3]);
  });

  it("is none without a quorum, without claims, and where more nodes fail than a loss explains", () => {
    const of = (nodes: number, measurers: number, failing: number) => {
      const failed = Object.fromEntries(Array.from({ length: failing }, (_, at) => [at + 1, shares(0)]));
      const statements = Array.from({ length: measurers }, (_, at) => statementOf(at + 1, failed));
      return waveVerdict({ challenged: challengedOf(nodes), statements }, rules);
    };
    expect(of(10, 3, 0)).to.include({ held: false, reason: "measurers_missing" });
    expect(of(0, 7, 0)).to.include({ held: false, reason: "nothing_claimed" });
    expect(of(10, 7, 4)).to.include({ held: false, reason: "loss" });
    expect(of(10, 7, 3).held).to.equal(true);
  });

  it("counts no more than all statements but a spare one reach, and never more than evidence shows", () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(share, { nil: undefined }), { minLength: 4, maxLength: 7 }),
        fc.option(share, { nil: undefined }),
        (stated, seen) => {
          const { device } = verdictOn(stated, {}, seen === undefined ? undefined : shares(seen));
          const sorted = stated.map((value) => value ?? 255).sort((a, b) => a - b);
          expect(device?.shares.memory).to.equal(seen ?? sorted[1]);
        },
      ),
    );
  });

  it("does not depend on the order of statements, and rises with each of them", () => {
    fc.assert(
      fc.property(fc.array(share, { minLength: 4, maxLength: 7 }), fc.nat(6), share, (stated, at, other) => {
        const before = verdictOn(stated).device?.shares.memory ?? 0;
        expect(verdictOn([...stated].reverse()).device?.shares.memory).to.equal(before);
        const place = at % stated.length;
        const raised = stated.map((value, index) => (index === place ? Math.max(value, other) : value));
        expect(verdictOn(raised).device?.shares.memory).to.be.at.least(before);
      }),
    );
  });

  it("hears all measurers of a market that has few", () => {
    expect(rulesFor(1)).to.include({ drawn: 1, quorum: 1, spare: 0 });
    expect(rulesFor(3)).to.include({ drawn: 3, quorum: 3, spare: 1 });
    expect(rulesFor(40)).to.include({ drawn: 7, quorum: 4 });
  });
});

describe("shares of a claim", () => {
  const figure = fc.bigInt({ min: 0n, max: 2n ** 50n });
  const proven = fc.record({ bytes: figure, bytesPerSecond: figure, operationsPerSecond: figure });

  it("prove at most what was proven and claimed, and lose less than a 255th of the claim", () => {
    fc.assert(
      fc.property(proven, proven, (claimed, shown) => {
        const by = provenBy(claimed, sharesOf(claimed, shown));
        for (const name of ["bytes", "bytesPerSecond", "operationsPerSecond"] as const) {
          const least = countedOf(claimed, shown)[name];
          expect(by[name] <= least).to.equal(true);
          expect((least - by[name]) * 255n <= claimed[name] + 255n).to.equal(true);
        }
      }),
    );
  });

  it("are whole for what is more than claimed", () => {
    const more = { ...figures, bytes: figures.bytes * 2n };
    expect(sharesOf(figures, more)).to.deep.equal(allShares);
  });
});

describe("what counts of a device after waves", () => {
  const passed = { outcome: "passed", proven: figures } as const;
  const failed = { outcome: "failed", proven: provenBy(figures, shares(0)) } as const;
  const kept = { outcome: "kept", proven: provenBy(figures, shares(0)) } as const;

  it("is paid with three of the last five waves", () => {
    expect(standingOf([passed, passed], figures, rules).paid).to.equal(false);
    expect(standingOf([passed, passed, passed], figures, rules)).to.include({ paid: true, waves: 3 });
    expect(standingOf([passed, failed, passed, failed, passed], figures, rules).paid).to.equal(true);
    expect(standingOf([passed, passed, passed, passed, failed], figures, rules).paid).to.equal(false);
    expect(standingOf([passed, passed, failed, failed, failed], figures, rules)).to.deep.include({
      paid: false,
      proven: { bytes: 0n, bytesPerSecond: 0n, operationsPerSecond: 0n },
    });
  });

  it("is the median of the last five waves, and at most what is claimed now and what the last one showed", () => {
    const slower = { ...passed, proven: { ...figures, bytesPerSecond: 850_000_000_000n } };
    for (const history of [
      [passed, slower, passed, slower, slower],
      [slower, slower, slower, passed, passed],
      [passed, passed, passed, passed, slower],
    ])
      expect(standingOf(history, figures, rules).proven.bytesPerSecond).to.equal(850_000_000_000n);
    const less = { ...figures, bytes: 1_000n };
    expect(standingOf([passed, passed, passed], less, rules).proven.bytes).to.equal(1_000n);
  });

  it("is kept through leased waves, for so many of them", () => {
    const proof = [passed, passed, passed];
    const leased = (waves: number) => [...proof, ...Array(waves).fill(kept)];
    expect(standingOf(leased(rules.keptWaves), figures, rules).paid).to.equal(true);
    expect(standingOf(leased(rules.keptWaves + 1), figures, rules).paid).to.equal(false);
  });

  it("ends after as many undecided waves as count, however many are kept between them", () => {
    const undecided = { ...kept, outcome: "undecided" } as const;
    const afterProof = (...waves: (typeof kept | typeof undecided)[]) =>
      standingOf([passed, passed, passed, ...waves], figures, rules);
    expect(afterProof(...Array(rules.counted).fill(undecided))).to.include({ paid: true, earns: false });
    expect(afterProof(...Array(rules.counted + 1).fill(undecided)).paid).to.equal(false);
    expect(
      afterProof(
        ...Array(rules.counted + 1)
          .fill([kept, undecided])
          .flat(),
      ).paid,
    ).to.equal(false);
  });

  it("never counts more than the claim, whatever the history", () => {
    const outcome = fc.constantFrom("passed" as const, "failed" as const, "kept" as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(outcome, share)), share, (given, claim) => {
        const history = given.map(([of, value]) => ({
          outcome: of,
          proven: provenBy(figures, shares(value)),
        }));
        const claimed = provenBy(figures, shares(claim));
        const { proven, paid } = standingOf(history, claimed, rules);
        expect(proven.bytes <= claimed.bytes).to.equal(true);
        if (!paid) expect(proven.bytes).to.equal(0n);
      }),
    );
  });
});
