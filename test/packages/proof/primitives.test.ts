import { expect } from "chai";
import fc from "fast-check";
import { doubleRound, writePage } from "../../../packages/proof/permutation.ts";
import { auditSeedOf, seedsOf } from "../../../packages/proof/seeds.ts";
import { placeOf } from "../../../packages/proof/segments.ts";
import { blake2s, heightOf, pathOf, rootFrom, rootOf } from "../../../packages/proof/tree.ts";
import { bytesOf, keyOf, wordsOf } from "../../../packages/proof/words.ts";
import { blockHash, claimOf } from "./claims.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("the primitives of a proof of hardware", () => {
  it("have the double round of RFC 8439", () => {
    // Section 2.3.2: the state of the block function after 20 rounds, before it is added to the first one.
    const key = wordsOf(Uint8Array.from({ length: 32 }, (_, index) => index));
    const start = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, ...key, 1, 0x09000000, 0x4a000000, 0];
    const state = Int32Array.from(start);
    for (let round = 0; round < 10; round++) doubleRound(state, 0, 1);
    const added = state.map((word, index) => word + (start[index] as number));
    expect(hex(bytesOf(added))).to.equal(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    );
  });

  it("have the BLAKE2s of RFC 7693", () => {
    expect(hex(blake2s(Buffer.from("abc")))).to.equal(
      "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
    );
  });

  it("make the page that the specification lists", () => {
    const page = new Int32Array(256);
    writePage(page, keyOf(blockHash("fill")), 5);
    expect(hex(bytesOf(page).subarray(0, 32))).to.equal(
      "fb0244334490efa24ad9cfd7221b60616dfd9e2b8b079852e17c84febc834268",
    );
    expect(hex(blake2s(bytesOf(page)))).to.equal(
      "f2ad60c1bf32364ab2f3ab422622e84bd71fa46390ef5639a90a188cb01ac965",
    );
  });

  it("give the seeds that the specification lists", () => {
    const root = blockHash("root");
    const part = { lanes: 16, legs: 1, root };
    expect({
      ...seedsOf(claimOf()),
      audit: auditSeedOf(claimOf(), { chase: part, work: part }),
    }).to.deep.equal({
      fill: "0x4818485add3a9e27ebb66a980bb525a38191c0921912d33dad6e6744db82f1af",
      chase: "0x0d34535d52816ec857f58f28b819f11f182adc855fee756709e6afba6bd05dbb",
      work: "0x4e2971f1672e5414fcf7112050df9b27c9e71e89296c1f6cad3b494543043dcb",
      audit: "0x53ad909e43e190261ca2f32399efba148f6b3250fc44001cdbae6ca8a19acee6",
    });
  });

  it("place a word in a window as exact integers do", () => {
    const words = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 2 ** 28 }), (word, blocks) => {
        expect(placeOf(word, blocks)).to.equal(Number((BigInt(word >>> 0) * BigInt(blocks)) >> 32n));
      }),
    );
  });

  it("lead from every leaf to the root, and from no other place", () => {
    const leaves = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(leaves, fc.nat(), (of, at) => {
        const index = at % of.length;
        const leaf = of[index] as Uint8Array;
        const path = pathOf(of, index);
        expect(path).to.have.length(heightOf(of.length));
        expect(hex(rootFrom(leaf, index, path))).to.equal(hex(rootOf(of)));
        const moved = (index + 1) % 2 ** path.length;
        if (path.length > 0 && hex(path[0] as Uint8Array) !== hex(leaf))
          expect(hex(rootFrom(leaf, moved, path))).to.not.equal(hex(rootOf(of)));
      }),
    );
  });
});
