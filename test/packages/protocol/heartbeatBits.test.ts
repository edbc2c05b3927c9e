import { decodeHeartbeats, encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { expect } from "chai";
import fc from "fast-check";

const fleet = fc.integer({ min: 1, max: 500 }).chain((nodeCount) =>
  fc.record({
    nodeCount: fc.constant(nodeCount),
    present: fc.uniqueArray(fc.integer({ min: 1, max: nodeCount }), { maxLength: nodeCount }),
  }),
);

describe("heartbeat bits", () => {
  it("come back as they were written", () => {
    fc.assert(
      fc.property(fleet, ({ nodeCount, present }) => {
        const decoded = decodeHeartbeats(encodeHeartbeats(nodeCount, new Set(present)));
        expect([...decoded].sort((a, b) => a - b)).to.deep.equal([...present].sort((a, b) => a - b));
      }),
    );
  });

  it("are written in the shorter encoding", () => {
    const all = new Set(Array.from({ length: 1_000 }, (_, index) => index + 1));
    expect(encodeHeartbeats(1_000, all)).to.deep.equal({
      encoding: "absentees",
      nodeCount: 1_000,
      bits: "0x",
    });
    expect(encodeHeartbeats(1_000, new Set([1]))).to.include({ encoding: "bitmap" });
    for (const absent of [3, 4, 1_000]) all.delete(absent);
    // 3, then 1 further, then 996 further: 0x64 + 7 × 128.
    expect(encodeHeartbeats(1_000, all).bits).to.equal("0x0301e407");
  });

  it("of a wrong length are refused", () => {
    expect(() => decodeHeartbeats({ encoding: "bitmap", nodeCount: 9, bits: "0xff" })).to.throw(
      "1 bytes are not valid for encoding bitmap",
    );
    expect(() => decodeHeartbeats({ encoding: "absentees", nodeCount: 9, bits: "0xffff" })).to.throw(
      "2 bytes are not valid for encoding absentees",
    );
  });
});
