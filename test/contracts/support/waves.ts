import { proofWavesAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, hardwareClaimTypes, wavePostTypes } from "@ngpu/contracts-sdk/typedData";
import { blocksOf, type Stage, stages, type WaveBlocks } from "@ngpu/waves/schedule";
import {
  encodeAbiParameters,
  type Hex,
  keccak256,
  parseEventLogs,
  stringToHex,
  type TransactionReceipt,
} from "viem";
import { keyOf, loadMarket, type MarketFixture } from "./market.ts";
import { addMeasurer } from "./measure.ts";
import { addNodes } from "./nodes.ts";

export const hashOf = (name: string): Hex => keccak256(stringToHex(name));

/** A market with nodes 1 and 2, and so many measurers. */
export async function loadWaves(measurers = 3, fixture?: () => Promise<MarketFixture>) {
  const market = await loadMarket(fixture);
  await addNodes(market, ["node one", "node two"]);
  for (let id = 1; id <= measurers; id += 1) await addMeasurer(market, measurerName(id));
  return market;
}

const measurerName = (id: number) => `wave measurer ${id}`;

/** Opens the wave that a recent block begins. */
export async function openWave(
  market: MarketFixture,
): Promise<WaveBlocks & { waveId: number; fillHash: Hex }> {
  const settings = await market.waves.read.settings();
  await mine(market, settings.stride);
  // The oldest block that may begin a wave begins it. It must not be the first that may: a block is left before the first stage.
  const oldest = Number(await market.client.getBlockNumber()) + 1 - settings.fillBlocks;
  if (oldest % settings.stride === 0) await mine(market, 1);
  const receipt = await market.mined(market.waves.write.open());
  const [log] = parseEventLogs({ abi: proofWavesAbi, logs: receipt.logs, eventName: "WaveOpened" });
  if (log === undefined) throw new Error("No wave was opened.");
  const { waveId, fillBlock, fillHash } = log.args;
  return { ...blocksOf(fillBlock, settings), waveId, fillHash };
}

/** Mines so that the next transaction is in this block. */
export async function mineBefore(market: MarketFixture, block: number): Promise<void> {
  const now = Number(await market.client.getBlockNumber());
  await mine(market, Math.max(0, block - 1 - now));
}

/** Mines blocks one by one: the simulated OP-stack chain cannot continue after several at once. */
export async function mine(market: MarketFixture, blocks: number): Promise<void> {
  for (let block = 0; block < blocks; block += 1) await market.connection.networkHelpers.mine(1);
}

export type Post = { measurerId: number; waveId: number; root: Hex; stage?: number; signer?: string };

/** Sends posts of a stage in one batch, each signed by its measurer. */
export async function post(
  market: MarketFixture,
  stage: Stage,
  posts: readonly Post[],
): Promise<TransactionReceipt> {
  const messages = posts.map(({ waveId, measurerId, root, stage: number = stages[stage] }) => {
    return { waveId, measurerId, stage: number, root };
  });
  const signatures = posts.map(({ signer }, index) => signPost(market, messages[index] as WavePost, signer));
  return market.mined(market.waves.write.postBatch([messages, await Promise.all(signatures)]));
}

type WavePost = { waveId: number; measurerId: number; stage: number; root: Hex };

export function signPost(
  market: MarketFixture,
  message: WavePost,
  signer = measurerName(message.measurerId),
) {
  const domain = domainOf(market.deployment, "ProofWaves");
  return keyOf(signer).signTypedData({ domain, types: wavePostTypes, primaryType: "WavePost", message });
}

export type Reveal = ReturnType<typeof revealOf>;

/** What a measurer commits to. */
export function revealOf(waveId: number, measurerId: number, list: Hex = "0x") {
  const named = (what: string) => hashOf(`${what} ${measurerId}`);
  return {
    waveId,
    measurerId,
    results: named("results"),
    transcripts: named("transcripts"),
    exceptions: keccak256(list),
    salt: named("salt"),
  };
}

/** The hash that a measurer commits to. */
export function commitmentTo(reveal: Reveal): Hex {
  const { waveId, measurerId, results, transcripts, exceptions, salt } = reveal;
  const types = ["uint32", "uint32", "bytes32", "bytes32", "bytes32", "bytes32"].map((type) => ({ type }));
  return keccak256(encodeAbiParameters(types, [waveId, measurerId, results, transcripts, exceptions, salt]));
}

/** Goes through a wave until its reveals, of these measurers. */
export async function commitWave(market: MarketFixture, measurerIds: readonly number[], list: Hex = "0x") {
  const wave = await openWave(market);
  const { waveId } = wave;
  const reveals = measurerIds.map((measurerId) => revealOf(waveId, measurerId, list));
  const all = (root: (id: number) => Hex) =>
    measurerIds.map((measurerId) => ({ waveId, measurerId, root: root(measurerId) }));
  await mineBefore(market, wave.chase + 1);
  const chase = await post(
    market,
    "chase",
    all((id) => hashOf(`chase ${id}`)),
  );
  await mineBefore(market, wave.work + 1);
  const answers = await post(
    market,
    "answers",
    all((id) => hashOf(`answers ${id}`)),
  );
  await mineBefore(market, wave.audit + 1);
  const results = await post(
    market,
    "results",
    reveals.map((reveal) => ({ waveId, measurerId: reveal.measurerId, root: commitmentTo(reveal) })),
  );
  return { wave, reveals, receipts: { chase, answers, results } };
}

/** A node's claim, signed by the key of that name. */
export async function claim(
  market: MarketFixture,
  message: { nodeId: number; devices: Hex[]; deadline: bigint },
  signer = message.nodeId === 1 ? "node one" : "node two",
) {
  const domain = domainOf(market.deployment, "ProofWaves");
  const typed = { domain, types: hardwareClaimTypes, primaryType: "HardwareClaim", message } as const;
  const signature = await keyOf(signer).signTypedData(typed);
  return market.mined(market.waves.write.claimBatch([[message], [signature]]));
}

/** A deadline that a claim of now may have. */
export async function soon(market: MarketFixture, seconds = 3_600): Promise<bigint> {
  return BigInt((await market.time.latest()) + seconds);
}
