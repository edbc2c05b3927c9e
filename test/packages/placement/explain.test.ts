import { decide } from "@ngpu/placement/decide";
import { explain } from "@ngpu/placement/explain";
import { firstRejection } from "@ngpu/placement/filters";
import type { FleetNode } from "@ngpu/placement/fleet";
import { createFleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { preferencesIn, requestOf, strategyOf } from "@ngpu/placement/preferences";
import { type PlacementPreferences, placementPreferences } from "@ngpu/protocol/placement/preferences";
import { explanationRequest } from "@ngpu/protocol/placement/request";
import { strategyTexts } from "@ngpu/protocol/placement/strategies";
import { expect } from "chai";
import fc from "fast-check";
import { strategies } from "../../../packages/placement/strategies/all.ts";
import { fleetNodes, requests } from "./arbitraries.ts";
import { machine as machineOf } from "./machine.ts";

const block = { number: 7n, hash: "0x07", time: 1_000 };
const question = explanationRequest.parse({
  image: `0x${"aa".repeat(32)}`,
  replicas: 3,
  gpuModel: null,
  minVramMib: 81_920,
  minComputeCapability: 0,
  region: null,
  wanted: { gpus: 1, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 10, ports: 1 },
  // 0.4 NGPU an hour.
  maxPricePerSecond: "111111111111111",
  preferences: {},
});

const total = { gpus: 2, cpuMilli: 8_000, memoryMib: 65_536, diskGib: 500, ports: 50 };
const offer = { region: "DE", total, free: total, pricePerSecond: 100_000_000_000_000n };
const machine = (nodeId: number, given: Partial<FleetNode> = {}) => machineOf(nodeId, { ...offer, ...given });

describe("placement: explanations", () => {
  it("describes the rejections, the nearest node and the cheapest node that only its price rejects", () => {
    const small = Array.from({ length: 12 }, (_, at) => machine(at + 1, { vramMib: 24_576 }));
    const expensive = machine(13, { pricePerSecond: 116_666_666_666_667n });
    const answer = explain({ block, index: createFleetIndex([...small, expensive]) }, question);
    expect(answer).to.deep.include({
      nodes: 13,
      fitting: 0,
      placeable: 0,
      possible: false,
      chosen: null,
      refused: { vramMib: 12, price: 1 },
      cheapest: { nodeId: 13, pricePerSecond: "116666666666667" },
      lowestPrice: "116666666666667",
    });
    expect(answer.nearest?.nodeId).to.equal(13);
    expect(answer.messages).to.deep.equal([
      "None of 13 nodes fits.",
      "12 nodes rejected: less than 80 GiB VRAM.",
      "1 node rejected: price above 0.4 NGPU an hour.",
      "The cheapest node that meets all other requirements is node 13. It costs 0.42 NGPU an hour; your limit is 0.4.",
      "The closest match is node 13: 0.42 NGPU an hour instead of 0.4 NGPU an hour.",
      "No node could run the workspace, even if it were online and empty.",
    ]);
  });

  it("writes one of a thing in the singular, as required and as free", () => {
    const free = { ...total, gpus: 0, cpuMilli: 500, ports: 0 };
    const messages = (wanted: typeof total, has: typeof total) =>
      explain({ block, index: createFleetIndex([machine(1, { free: has })]) }, { ...question, wanted })
        .messages;
    const one = { gpus: 1, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 10, ports: 1 };
    expect(messages(one, free).find((text) => text.startsWith("The closest"))).to.equal(
      "The closest match is node 1: 0 free GPUs instead of 1 free GPU; 0.5 cores free instead of 1 core free; " +
        "0 free ports instead of 1 free port.",
    );
    expect(messages(one, free)).to.include("1 node rejected: fewer than 1 free GPU.");
    const two = { ...one, gpus: 2, cpuMilli: 2_000, ports: 2 };
    expect(messages(two, { ...total, gpus: 1, cpuMilli: 1_000, ports: 1 })).to.include(
      "The closest match is node 1: 1 free GPU instead of 2 free GPUs; 1 core free instead of 2 cores free; " +
        "1 free port instead of 2 free ports.",
    );
  });

  it("counts the replicas that can be placed, and leaves the index unchanged", () => {
    const index = createFleetIndex([machine(1)]);
    expect(explain({ block, index }, question)).to.include({ fitting: 1, placeable: 2, possible: true });
    expect(index.get(1)?.free.gpus).to.equal(2);
    expect(index.get(1)?.workspaces).to.deep.equal([]);
  });

  it("names the lowest price of the nodes that could run it if they were empty, when all cost too much", () => {
    const cheap = { ...question, maxPricePerSecond: 1n };
    const busy = machine(1, { free: { ...machine(1).free, gpus: 0 }, pricePerSecond: 7n });
    const index = createFleetIndex([
      busy,
      machine(2, { pricePerSecond: 9n }),
      machine(3, { region: "US", pricePerSecond: 5n }),
    ]);
    expect(explain({ block, index }, { ...cheap, region: "DE" })).to.include({
      possible: false,
      lowestPrice: "7",
    });
    expect(explain({ block, index }, { ...cheap, region: "JP" })).to.include({
      possible: false,
      lowestPrice: null,
    });
    expect(explain({ block, index }, { ...question, region: "DE" })).to.include({
      possible: true,
      lowestPrice: null,
    });
  });

  it("reports a request as possible when the market is full, offline or empty", () => {
    const full = machine(1, { free: { ...machine(1).free, gpus: 0 } });
    expect(explain({ block, index: createFleetIndex([full]) }, question)).to.include({
      fitting: 0,
      possible: true,
    });
    const unreachable = machine(1, { status: "offline" });
    expect(explain({ block, index: createFleetIndex([unreachable]) }, question).possible).to.equal(true);
    expect(explain({ block, index: createFleetIndex() }, question).possible).to.equal(true);
  });

  it("counts every node once and chooses the same node as the reference, for any fleet and preferences", () => {
    fc.assert(
      fc.property(fleetNodes(60), requests, preferences, (nodes, request, preference) => {
        const { gpuModel, minVramMib, minComputeCapability, region, wanted, maxPricePerSecond, image } =
          request;
        const given = {
          gpuModel,
          minVramMib,
          minComputeCapability,
          region,
          wanted,
          maxPricePerSecond,
          image,
        };
        const answer = explain(
          { block, index: createFleetIndex(nodes) },
          { ...given, replicas: 2, preferences: preference },
        );
        const requested = { ...given, ...requestOf(preference), workspaceId: 0n, position: 0, excluded: [] };
        const refused = Object.values(answer.refused).reduce((sum, count) => sum + count, 0);
        expect(refused + answer.fitting).to.equal(nodes.length);
        expect(answer.fitting).to.equal(
          nodes.filter((node) => firstRejection(node, requested) === null).length,
        );
        const decision = decide({ block, nodes }, requested, strategyOf(preference));
        expect(answer.chosen?.nodeId).to.equal(decision.type === "placed" ? decision.nodeId : undefined);
        expect(answer.messages.join(" ")).not.to.match(/undefined|NaN/);
      }),
    );
  });
});

const preferences: fc.Arbitrary<PlacementPreferences> = fc.record(
  {
    strategy: fc.constantFrom(...(Object.keys(strategyTexts) as (keyof typeof strategyTexts)[])),
    replicas: fc.constantFrom("spread", "pack"),
    image: fc.constantFrom("any", "prefer", "require"),
    maxLatencyMs: fc.constantFrom(10, 20.5),
    minDownMbps: fc.constantFrom(0, 100),
    minUpMbps: fc.constantFrom(0, 100),
    minUptimePercent: fc.constantFrom(0, 99.5),
  },
  { requiredKeys: [] },
);

describe("placement: preferences", () => {
  it("have a strategy for each name", () => {
    expect(Object.keys(strategies).sort()).to.deep.equal(Object.keys(strategyTexts).sort());
  });

  it("are read from the configuration document and converted to the chain's units", () => {
    const config = JSON.stringify({
      image: "registry.test/chat",
      ports: [8080],
      placement: {
        strategy: "bestFit",
        replicas: "pack",
        image: "require",
        maxLatencyMs: 20.5,
        minUptimePercent: 99.9,
      },
    });
    expect(requestOf(preferencesIn(config))).to.deep.equal({
      replicas: "pack",
      imageAffinity: "require",
      maxLatencyTenthMs: 205,
      minUptimePermille: 999,
      minDownMbps: 0,
      minUpMbps: 0,
    });
    expect(strategyOf(preferencesIn(config))).to.equal(strategies.bestFit);
  });

  it("are empty when the configuration has none or invalid ones", () => {
    for (const config of ["", "null", "[]", "{}", '{"placement":{"strategy":"luck"}}', '{"placement":7}']) {
      expect(preferencesIn(config), config).to.deep.equal({});
      expect(strategyOf(preferencesIn(config))).to.equal(strategies.cheapest);
    }
  });

  it("are rejected with a message that names the problem", () => {
    const messageOf = (preference: unknown) =>
      placementPreferences.safeParse(preference).error?.issues[0]?.message;
    expect(messageOf({ maxLatencyMs: 0.15 })).to.equal("is not a multiple of 0.1");
    expect(messageOf({ minUptimePercent: 100.5 })).to.match(/100/);
    expect(messageOf({ strategy: "luck" })).to.match(/cheapest/);
    expect(messageOf({ luck: true })).to.match(/luck/);
  });
});
