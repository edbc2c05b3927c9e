import { maxListedNodes, packNodes, unpackNodes } from "@ngpu/protocol/placement/nodeList";
import { expect } from "chai";
import fc from "fast-check";
import type { Hex } from "viem";

const nodeIds = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: maxListedNodes });

describe("protocol: the nodes that an assignment names as excluded", () => {
  it("are read as they were written: each once, in order, in four bytes", () => {
    fc.assert(
      fc.property(nodeIds, (given) => {
        const expected = [...new Set(given)].sort((a, b) => a - b);
        const packed = packNodes(given);
        expect(unpackNodes(packed)).to.deep.equal(expected);
        expect(packed).to.have.length(2 + 8 * expected.length);
      }),
    );
    expect(packNodes([3, 2])).to.equal("0x0000000200000003");
    expect(packNodes([])).to.equal("0x");
  });

  it("are at most 64, the lowest ones", () => {
    const packed = packNodes(Array.from({ length: 100 }, (_, place) => 100 - place));
    expect(unpackNodes(packed)).to.deep.equal(Array.from({ length: 64 }, (_, place) => place + 1));
  });

  it("are refused in any other form", () => {
    const long: Hex = `0x${"00000001".repeat(65)}`;
    for (const packed of [
      "0x00",
      "0x000000020000",
      "0x0000000200000001",
      "0x0000000100000001",
      long,
    ] as Hex[]) {
      expect(unpackNodes(packed)).to.equal(undefined);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const packed = `0x${Buffer.from(bytes).toString("hex")}` as Hex;
        const read = unpackNodes(packed);
        if (read !== undefined) expect(packNodes(read)).to.equal(packed);
      }),
    );
  });
});
