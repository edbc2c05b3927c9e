import { decodeHeartbeats, encodeHeartbeats, isReadable } from "@ngpu/protocol/heartbeatBits";
import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import { expect } from "chai";
import fc from "fast-check";

const lastNode = 12;
const lastSlot = 15;
const nodeId = fc.integer({ min: 1, max: lastNode });
const slot = fc.integer({ min: 0, max: lastSlot });
const facts: fc.Arbitrary<PresenceFacts> = fc.record({
  firstSlot: fc.integer({ min: 0, max: 6 }),
  endSlot: fc.integer({ min: 6, max: lastSlot + 1 }),
  slots: fc.uniqueArray(
    fc
      .record({ slot, nodeCount: fc.integer({ min: 0, max: lastNode }), present: fc.array(nodeId) })
      .map((one) => ({ slot: one.slot, ...encodeHeartbeats(one.nodeCount, new Set(one.present)) })),
    { selector: (one) => one.slot },
  ),
  disputes: fc.array(fc.record({ slot, nodeId })),
  challenges: fc.array(
    fc.record({ nodeId, firstSlot: slot, length: fc.integer({ min: 0, max: 5 }) }).map((one) => {
      return { nodeId: one.nodeId, firstSlot: one.firstSlot, lastSlot: one.firstSlot + one.length };
    }),
  ),
});

describe("presence", () => {
  it("counts the slots that were committed or disputed and not challenged, for each node", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const absences: string[] = [];
        const counted = countPresence(given, (id, at) => absences.push(`${id}/${at}`));
        const expected: string[] = [];
        for (let id = 1; id <= lastNode; id++) {
          const known = { presentSlots: 0, totalSlots: 0 };
          for (let at = given.firstSlot; at < given.endSlot; at++) {
            const committed = given.slots.find((one) => one.slot === at);
            const isKnown = committed !== undefined && id <= committed.nodeCount;
            const isDisputed = given.disputes.some((one) => one.slot === at && one.nodeId === id);
            const isChallenged = given.challenges.some(
              (one) => one.nodeId === id && one.firstSlot <= at && at <= one.lastSlot,
            );
            if (!isKnown && !isDisputed && !isChallenged) continue;
            const isSet = isKnown && decodeHeartbeats(committed).has(id);
            known.totalSlots += 1;
            if ((isSet || isDisputed) && !isChallenged) known.presentSlots += 1;
            else expected.push(`${id}/${at}`);
          }
          expect(counted.get(id) ?? { presentSlots: 0, totalSlots: 0 }, `node ${id}`).to.deep.equal(known);
        }
        expect(absences.sort()).to.deep.equal(expected.sort());
      }),
    );
  });

  it("ignores distances of 0 and ids above the node count", () => {
    const slots = [{ slot: 0, encoding: "absentees" as const, nodeCount: 3, bits: "0x0200ff7f01" as const }];
    const counted = countPresence({ firstSlot: 0, endSlot: 1, slots, disputes: [], challenges: [] });
    expect([...counted].filter(([, one]) => one.presentSlots === 0)).to.deep.equal([
      [2, { presentSlots: 0, totalSlots: 1 }],
    ]);
  });

  it("counts a slot whose bits cannot be read as not committed, and all others as before", () => {
    const readable = [1, 3].map((at) => ({ slot: at, ...encodeHeartbeats(2, new Set([1])) }));
    const broken = [
      { encoding: "bitmap", nodeCount: 2, bits: "0x" },
      { encoding: "bitmap", nodeCount: 2, bits: "0x0102" },
      { encoding: "bitmap", nodeCount: 9, bits: "0x01" },
      { encoding: "bitmap", nodeCount: 2, bits: "0x1" },
      { encoding: "bitmap", nodeCount: 2, bits: "0xzz" },
      { encoding: "bitmap", nodeCount: 2, bits: "" },
      { encoding: "absentees", nodeCount: 2, bits: "0x80" },
      { encoding: "absentees", nodeCount: 2, bits: "0x01ff" },
      { encoding: "absentees", nodeCount: 2 ** 32 - 1, bits: "0x" },
      { encoding: "bitmap", nodeCount: -1, bits: "0x" },
      { encoding: "bitmap", nodeCount: 1.5, bits: "0x00" },
      { encoding: "unknown", nodeCount: 2, bits: "0x01" },
    ] as unknown as PresenceFacts["slots"];
    const range = { firstSlot: 0, endSlot: 4, disputes: [{ slot: 2, nodeId: 2 }], challenges: [] };
    const expected = countPresence({ ...range, slots: readable });
    for (const one of broken) {
      expect(isReadable(one), JSON.stringify(one)).to.equal(false);
      const slots = [...readable, { ...one, slot: 2 }];
      expect(countPresence({ ...range, slots })).to.deep.equal(expected);
    }
  });

  it("reads what is written", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.array(fc.integer({ min: 1, max: 40 })), (nodeCount, present) => {
        expect(isReadable(encodeHeartbeats(nodeCount, new Set(present)))).to.equal(true);
      }),
    );
  });
});
