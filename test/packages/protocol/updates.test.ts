import { compareReleases, decideUpdate, placeInRollout, type Rollout } from "@ngpu/protocol/updates";
import { expect } from "chai";
import fc from "fast-check";

const rollout: Rollout = { release: "1.2.0", percent: 100, regions: null, paused: null };
const client = { installed: "1.1.9", failed: [], address: `0x${"ab".repeat(20)}`, region: "DE" };
const address = fc.stringMatching(/^0x[0-9a-f]{40}$/);
const version = fc.tuple(fc.nat(99_999), fc.nat(99_999), fc.nat(99_999)).map((numbers) => numbers.join("."));

describe("updates: which clients install a release", () => {
  it("is all clients with an older release, once the rollout reaches 100 percent", () => {
    expect(decideUpdate(rollout, client)).to.deep.equal({ install: "1.2.0" });
    fc.assert(
      fc.property(address, (one) => {
        expect(decideUpdate(rollout, { ...client, address: one })).to.deep.equal({ install: "1.2.0" });
        expect(decideUpdate({ ...rollout, percent: 0 }, { ...client, address: one })).to.deep.equal({
          because: "not_yet",
        });
      }),
    );
  });

  it("is never one with the same or a newer release", () => {
    fc.assert(
      fc.property(version, version, (release, installed) => {
        const { install } = decideUpdate({ ...rollout, release }, { ...client, installed });
        expect(install !== undefined).to.equal(compareReleases(release, installed) > 0);
      }),
    );
    expect(decideUpdate(rollout, { ...client, installed: "1.2.0" })).to.deep.equal({ because: "current" });
    expect(decideUpdate(rollout, { ...client, installed: "1.10.0" })).to.deep.equal({ because: "older" });
  });

  it("is none while the rollout is paused, in another region, or where the release failed before", () => {
    const because = (change: Partial<Rollout>, of: Partial<typeof client> = {}) =>
      decideUpdate({ ...rollout, ...change }, { ...client, ...of });
    expect(because({ paused: "Alert NodesLost" })).to.deep.equal({ because: "paused" });
    expect(because({ regions: ["FR"] })).to.deep.equal({ because: "other_region" });
    expect(because({ regions: ["FR", "DE"] })).to.deep.equal({ install: "1.2.0" });
    expect(decideUpdate({ ...rollout, regions: ["FR"] }, { ...client, region: undefined })).to.deep.equal({
      because: "other_region",
    });
    expect(decideUpdate(rollout, { ...client, failed: ["1.2.0"] })).to.deep.equal({
      because: "failed_before",
    });
  });

  it("grows with the percentage: a client that is in stays in", () => {
    fc.assert(
      fc.property(
        address,
        fc.float({ min: 0, max: 100, noNaN: true }),
        fc.float({ min: 0, max: 100, noNaN: true }),
        (one, a, b) => {
          const [fewer, more] = [Math.min(a, b), Math.max(a, b)];
          const isIn = (percent: number) =>
            "install" in decideUpdate({ ...rollout, percent }, { ...client, address: one });
          expect(isIn(fewer) && !isIn(more)).to.equal(false);
        },
      ),
    );
  });

  it("is about the stated share of the clients, and other ones with each release", () => {
    const addresses = Array.from({ length: 4_000 }, (_, n) => `0x${n.toString(16).padStart(40, "0")}`);
    const first = (release: string) => addresses.filter((one) => placeInRollout(one, release) < 5);
    expect(first("1.2.0").length).to.be.within(140, 260);
    const again = new Set(first("1.2.1"));
    expect(first("1.2.0").filter((one) => again.has(one)).length).to.be.below(40);
  });
});
