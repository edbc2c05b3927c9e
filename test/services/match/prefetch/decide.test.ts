import { expect } from "chai";
import fc from "fast-check";
import {
  type CandidateNode,
  decidePrefetch,
  type PopularImage,
  type PrefetchFacts,
  type RequestedImage,
} from "../../../../services/match/prefetch/decide.ts";

const gib = 2n ** 30n;
const popular = (image: string, assignments: number, given: Partial<PopularImage> = {}): PopularImage => ({
  image,
  assignments,
  reference: `registry.test/${image}@sha256:${image}`,
  owner: "0xaa",
  sizeBytes: gib,
  ...given,
});
const likely = (nodeId: number, given: Partial<CandidateNode> = {}): CandidateNode => ({
  nodeId,
  holds: false,
  freeDiskGib: 100,
  ...given,
});
const requested = (nodeId: number, image: string, inProgress: boolean, owner = "0xaa"): RequestedImage => ({
  nodeId,
  image,
  inProgress,
  reference: `registry.test/${image}@sha256:${image}`,
  owner,
  sizeBytes: gib,
});

/** Facts in which placement chooses these nodes in this order, for every image. */
function facts(nodes: CandidateNode[], given: Partial<PrefetchFacts> = {}): PrefetchFacts {
  return {
    popular: [popular("a", 5)],
    requested: [],
    leaseTransfers: new Map(),
    choose: (_image, excluded) => nodes.find(({ nodeId }) => !excluded.includes(nodeId)),
    limits: { images: 2, nodes: 2, perNode: 1, perSource: 10 },
    ...given,
  };
}

const pairs = (given: PrefetchFacts) =>
  decidePrefetch(given).map(({ nodeId, image }) => `${image}@${nodeId}`);

describe("match: prefetch decisions", () => {
  it("orders the most popular images on the nodes that placement would choose first", () => {
    const images = [popular("c", 1), popular("a", 5), popular("b", 9)];
    const limits = { images: 2, nodes: 2, perNode: 2, perSource: 10 };
    const steps = pairs(facts([likely(7), likely(3), likely(9)], { popular: images, limits }));
    expect(steps).to.deep.equal(["b@7", "b@3", "a@7", "a@3"]);
  });

  it("counts nodes that have the image or an order for it", () => {
    const nodes = [likely(1, { holds: true }), likely(2), likely(3)];
    expect(pairs(facts(nodes))).to.deep.equal(["a@2"]);
    expect(pairs(facts(nodes, { requested: [requested(2, "a", false)] }))).to.deep.equal([]);
  });

  it("skips a node at its limit of downloads, for leases or prefetches", () => {
    const nodes = [likely(1), likely(2)];
    expect(pairs(facts(nodes, { requested: [requested(1, "z", true)] }))).to.deep.equal(["a@2"]);
    expect(pairs(facts(nodes, { leaseTransfers: new Map([[2, 1]]) }))).to.deep.equal(["a@1"]);
    const images = [popular("a", 5), popular("b", 4)];
    expect(pairs(facts([likely(1)], { popular: images }))).to.deep.equal(["a@1"]);
  });

  it("limits concurrent prefetches per registry", () => {
    const limits = { images: 2, nodes: 2, perNode: 1, perSource: 1 };
    expect(pairs(facts([likely(1), likely(2)], { limits }))).to.deep.equal(["a@1"]);
    const images = [popular("a", 5), popular("b", 4, { reference: "other.test/b@sha256:b" })];
    expect(pairs(facts([likely(1), likely(2)], { popular: images, limits }))).to.deep.equal(["a@1", "b@2"]);
  });

  it("limits each partner alone: one's slow registry holds up no other's images", () => {
    const limits = { images: 2, nodes: 2, perNode: 1, perSource: 1 };
    const nodes = [likely(1), likely(2)];
    // The downloads of one partner's image do not end.
    const slow = [requested(1, "a", true), requested(2, "a", true)];
    const images = [popular("a", 50), popular("b", 1, { owner: "0xbb" })];
    expect(pairs(facts(nodes, { popular: images, requested: slow, limits }))).to.deep.equal(["b@1"]);
    const own = [popular("a", 50), popular("b", 1)];
    expect(pairs(facts(nodes, { popular: own, requested: slow, limits }))).to.deep.equal([]);
  });

  it("counts the disk of all partners' downloads", () => {
    const busy = [requested(1, "a", true, "0xbb")];
    expect(
      pairs(facts([likely(1, { freeDiskGib: 6.9 })], { requested: busy, popular: [popular("b", 1)] })),
    ).to.deep.equal([]);
    expect(
      pairs(facts([likely(1, { freeDiskGib: 7 })], { requested: busy, popular: [popular("b", 1)] })),
    ).to.deep.equal(["b@1"]);
  });

  it("orders only images of known size that fit unpacked", () => {
    expect(pairs(facts([likely(1, { freeDiskGib: 3.9 }), likely(2, { freeDiskGib: 4 })]))).to.deep.equal([
      "a@2",
    ]);
    expect(pairs(facts([likely(1)], { popular: [popular("a", 5, { sizeBytes: null })] }))).to.deep.equal([]);
  });

  it("keeps all limits, repeats no order, and is stable once its orders are placed", () => {
    const nodes = fc
      .uniqueArray(fc.nat(8), { maxLength: 8 })
      .chain((ids) =>
        fc.tuple(
          ...ids.map((id) =>
            fc.record({ holds: fc.boolean(), freeDiskGib: fc.nat(12) }).map((one) => likely(id, one)),
          ),
        ),
      );
    const images = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 });
    const counts = fc.integer({ min: 1, max: 3 });
    const limits = fc.record({ images: counts, nodes: counts, perNode: counts, perSource: counts });
    const before = fc.uniqueArray(fc.tuple(fc.nat(8), fc.constantFrom("a", "b", "c", "d"), fc.boolean()), {
      maxLength: 6,
      selector: ([node, image]) => `${node}${image}`,
    });
    fc.assert(
      fc.property(nodes, images, limits, before, (fleet, names, limit, was) => {
        const known = was.map(([node, image, inProgress]) => requested(node, image, inProgress));
        const given = facts(fleet, {
          requested: known,
          limits: limit,
          popular: names.map((image, position) => popular(image, 10 - position)),
        });
        const steps = decidePrefetch(given);
        const all = [...known.filter(({ inProgress }) => inProgress), ...steps];
        for (const { nodeId, image } of steps) {
          expect(known.some((one) => one.nodeId === nodeId && one.image === image)).to.equal(false);
          expect(all.filter((one) => one.nodeId === nodeId).length).to.be.at.most(limit.perNode);
          const room = fleet.find((one) => one.nodeId === nodeId)?.freeDiskGib ?? 0;
          expect(3 * all.filter((one) => one.nodeId === nodeId).length + 1).to.be.at.most(room);
          expect(steps.filter((one) => one.image === image).length).to.be.at.most(limit.nodes);
        }
        if (steps.length > 0) expect(all.length).to.be.at.most(limit.perSource);
        const next = decidePrefetch({
          ...given,
          requested: [...known, ...steps.map((one) => ({ ...one, inProgress: true }))],
        });
        expect(next).to.deep.equal([]);
      }),
    );
  });
});
