import { gpuModels } from "@ngpu/proof/models";
import type { Proven } from "@ngpu/proof/proven";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { packTerms } from "@ngpu/rewards/terms";
import { encodeDevice, modelHashOf } from "@ngpu/waves/claims";
import { type Hex, numberToHex, pad, zeroHash } from "viem";
import { leadSeconds, type Market } from "./market.ts";

export type GeneratedNode = {
  nodeId: number;
  spec: ReturnType<typeof specOf>;
  price: bigint;
  /** Figures that every measurement finds, give or take. */
  rates: { downMbps: number; upMbps: number; diskWriteMibps: number };
  devices: Hex[];
};

export const addressOf = (kind: number, id: number): Hex =>
  pad(numberToHex((BigInt(kind) << 64n) + BigInt(id)), { size: 20 });

const none = pad("0x", { size: 20 });
const models = ["RTX 3090", "RTX 4090", "RTX 4070", "RTX 3060", "RTX 5090"].map((name) => {
  const model = gpuModels.find((one) => one.name.endsWith(name));
  if (model === undefined) throw new RangeError(`No figures of ${name}.`);
  return model;
});
const regions = ["0x4445", "0x5553", "0x5347", "0x4a50"] as const;
export const measurers = 24;
const mebibyte = 2n ** 20n;

/** Writes the terms, the measurers, and the nodes with their claims. */
export function writeNodes(market: Market): GeneratedNode[] {
  const { add, blockAt, dayBegin, scale, between } = market;
  add("Pomc", "TermsSet", 1, { fromEpoch: 1n, terms: packTerms(defaultTerms({ slotSeconds: 60 })) });
  for (let measurerId = 1; measurerId <= measurers; measurerId++) {
    const key = addressOf(0xe1, measurerId);
    add("Measure", "MeasurerRegistered", 1, { measurerId, key, wallet: none, region: "0x4445" });
    add("Measure", "MeasurerAdmissionSet", 1, { measurerId, admitted: true });
  }
  return Array.from({ length: scale.nodes }, (_, place) => {
    const node = nodeOf(market, place + 1);
    const { nodeId, spec, price, devices } = node;
    const block = between(2, blockAt(dayBegin - leadSeconds / 2));
    add("ComputeNode", "NodeRegistered", block, {
      nodeId,
      key: addressOf(0xa1, nodeId),
      wallet: addressOf(0xb1, 1 + Math.floor(place / 5)),
      isBound: true,
      spec,
      pricePerSecond: price,
      gpuName: "",
      gpuUuids: [],
    });
    add("ProofWaves", "HardwareClaimed", block + 1, {
      nodeId,
      deadline: BigInt(dayBegin + 10 ** 6),
      devices,
    });
    return node;
  });
}

function nodeOf({ random, between }: Market, nodeId: number): GeneratedNode {
  const cores = 4 * between(2, 16);
  const isGpu = random() < 0.5;
  const model = models[between(0, models.length - 1)] as (typeof models)[number];
  const gpus = isGpu ? between(1, 4) : 0;
  const region = regions[between(0, regions.length - 1)] as Hex;
  const spec = specOf({ cores, gpus, model, region });
  const cpu: Proven = {
    bytes: BigInt(cores) * 1_800n * mebibyte,
    bytesPerSecond: BigInt(cores) * 500_000_000n,
    operationsPerSecond: BigInt(cores) * 5_000_000_000n,
  };
  const gpu: Proven = {
    bytes: BigInt(Math.floor(model.memoryGib * 920)) * mebibyte,
    bytesPerSecond: BigInt(Math.round(model.gbPerSecond * 400)) * 1_000_000n,
    operationsPerSecond: BigInt(Math.round(model.teraflops * 200)) * 1_000_000_000n,
  };
  const full =
    BigInt(spec.total.cpuMilli) * 300_000_000_000n + BigInt(gpus * spec.vramMib) * 200_000_000_000n;
  return {
    nodeId,
    spec,
    price: (full * BigInt(between(20, 60))) / 100n,
    rates: {
      downMbps: between(100, 5_000),
      upMbps: between(100, 5_000),
      diskWriteMibps: between(200, 3_000),
    },
    devices: [
      encodeDevice({ figures: cpu, hardware: { kind: "cpu", cores } }),
      ...Array.from({ length: gpus }, () =>
        encodeDevice({ figures: gpu, hardware: { kind: "gpu", modelHash: modelHashOf(model.name) } }),
      ),
    ],
  };
}

function specOf(given: {
  cores: number;
  gpus: number;
  model: { name: string; memoryGib: number };
  region: Hex;
}) {
  const { cores, gpus, model, region } = given;
  return {
    gpuModel: gpus === 0 ? pad("0x", { size: 8 }) : modelHashOf(model.name),
    vramMib: gpus === 0 ? 0 : Math.floor(model.memoryGib * 920),
    computeCapability: gpus === 0 ? 0 : 89,
    region,
    total: { gpus, cpuMilli: cores * 1_000, memoryMib: cores * 1_800, diskGib: 400, ports: 32 },
  };
}

/** Writes a round of each node before the day and one within it, and what nodes changed in the day. */
export function writeRounds(market: Market, nodes: readonly GeneratedNode[]): void {
  const { blockAt, dayBegin, dayEnd, between } = market;
  let roundId = 0n;
  for (const node of nodes) {
    roundId += 1n;
    writeRound(market, node, { roundId, block: between(blockAt(dayBegin - 1_500), blockAt(dayBegin - 900)) });
  }
  for (const node of nodes) {
    roundId += 1n;
    writeRound(market, node, { roundId, block: between(blockAt(dayBegin + 60), blockAt(dayEnd - 900)) });
    writeChanges(market, node);
  }
}

function writeRound(
  { add, timeOf, between, scale, deployment }: Market,
  { nodeId, rates }: GeneratedNode,
  { roundId, block }: { roundId: bigint; block: number },
): void {
  const opensAt = timeOf(block) + 12;
  const closes = block + Math.ceil(120 / scale.blockSeconds);
  const ids = { roundId, nodeId };
  add("Measure", "MeasureRequested", block, {
    ...ids,
    opensAt,
    closesAt: opensAt + 600,
    drawBlock: block + 1,
    draws: zeroHash,
  });
  const first = between(0, measurers - 1);
  const near = (value: number) => Math.round(value * (0.9 + between(0, 20) / 100));
  const found = (of: (value: number) => number) => ({
    absent: false,
    downMbps: of(rates.downMbps),
    upMbps: of(rates.upMbps),
    latencyTenthMs: of(200),
    portsReachable: 3,
    diskFreeGib: 300,
    diskWriteMibps: of(rates.diskWriteMibps),
  });
  const results = Array.from({ length: 8 }, () => found(near));
  for (const [place, result] of results.entries()) {
    const measurerId = 1 + ((first + place) % measurers);
    add("Measure", "MeasureSubmitted", closes - 1, { ...ids, measurerId, port: 40_000, result });
  }
  const middle = (name: "downMbps" | "upMbps" | "latencyTenthMs" | "diskWriteMibps") =>
    results.map((result) => result[name]).sort((a, b) => a - b)[3] as number;
  const median = {
    ...found((value) => value),
    downMbps: middle("downMbps"),
    upMbps: middle("upMbps"),
    latencyTenthMs: middle("latencyTenthMs"),
    diskWriteMibps: middle("diskWriteMibps"),
  };
  const expiresAt = timeOf(closes) + deployment.parameters.measureTtlSeconds;
  add("Measure", "MeasureFinalized", closes, { ...ids, submissions: 8, median, expiresAt });
}

/** Some nodes change their price, and some rest for a while. */
function writeChanges(
  { add, random, between, blockAt, dayBegin, dayEnd }: Market,
  node: GeneratedNode,
): void {
  const { nodeId, spec, price } = node;
  const at = () => between(blockAt(dayBegin + 600), blockAt(dayEnd - 4_000));
  if (random() < 0.03) {
    const pricePerSecond = (price * BigInt(between(90, 110))) / 100n;
    add("ComputeNode", "NodeSpecUpdated", at(), { nodeId, spec, pricePerSecond, gpuName: "" });
  }
  if (random() > 0.03) return;
  const block = at();
  add("ComputeNode", "NodeStatusChanged", block, { nodeId, status: 3 });
  add("ComputeNode", "NodeStatusChanged", block + between(20, 300), { nodeId, status: 1 });
}
