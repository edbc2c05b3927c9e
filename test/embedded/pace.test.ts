import { expect } from "chai";
import { atPace, factorOf, measurePace, pace } from "../../scripts/embedded/pace.ts";

describe("the pace of this machine", () => {
  it("is the pace of the slower probe, and never faster than the reference machine", () => {
    expect(factorOf({ computeMs: 130, spawnMs: 60 })).to.equal(2);
    expect(factorOf({ computeMs: 65, spawnMs: 180 })).to.equal(3);
    expect(factorOf({ computeMs: 6, spawnMs: 6 })).to.equal(1);
  });

  it("has an upper bound, so that deadlines expire", () => {
    expect(factorOf({ computeMs: 1e9, spawnMs: 60 })).to.equal(20);
  });

  it("extends deadlines once it is measured, and does not shorten them again", async () => {
    const first = await measurePace();
    expect(first).to.be.within(1, 20);
    expect(await measurePace()).to.be.at.least(first);
    expect(atPace(1_000)).to.equal(1_000 * pace());
  });
});
