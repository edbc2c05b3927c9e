import { measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, measurerRegistrationTypes, revealTypes } from "@ngpu/contracts-sdk/typedData";
import { type DrawProof, drawTreeOf } from "@ngpu/protocol/drawTree";
import { type Hex, keccak256, parseEventLogs, toBytes } from "viem";
import { keyOf, later, loadMarket, type MarketFixture, marketFixture } from "./market.ts";
import { addNodes } from "./nodes.ts";
import { zeroAddress } from "./reverts.ts";

export const result = {
  absent: false,
  downMbps: 940,
  upMbps: 910,
  latencyTenthMs: 12,
  portsReachable: 3,
  diskFreeGib: 800,
  diskWriteMibps: 1_200,
};

/** A measurer's result for a node that did not respond. */
export const absent = {
  absent: true,
  downMbps: 0,
  upMbps: 0,
  latencyTenthMs: 0,
  portsReachable: 0,
  diskFreeGib: 0,
  diskWriteMibps: 0,
};

const one = () => marketFixture({ measureDraws: 1 });
const three = () => marketFixture({ quorum: 3, measureDraws: 8 });
const short = () => marketFixture({ measureDraws: 1, measureWindowSeconds: 40 });
const closed = () => marketFixture({ openMeasurers: false });

/**
 * A market with nodes 1 and 2: one draw with a quorum of one, 8 draws with a quorum of 3, windows shorter than a slot, or
 * measurers without admission.
 */
export async function loadMeasure(which: "one" | "three" | "short" | "closed" = "one") {
  const market = await loadMarket({ one, three, short, closed }[which]);
  await addNodes(market, ["node one", "node two"]);
  return market;
}

export async function addMeasurer(market: MarketFixture, name: string, wallet: Hex = zeroAddress) {
  const message = { key: keyOf(name).address, wallet, region: "0x4445" as Hex, deadline: later };
  const signature = await keyOf(name).signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: measurerRegistrationTypes,
    primaryType: "MeasurerRegistration",
    message,
  });
  return market.mined(market.measure.write.registerMeasurerBatch([[message], [signature]]));
}

export type Drawn = { draw: number; measurerId: number; port: number; salt: Hex; proof: DrawProof };
export type Round = Awaited<ReturnType<typeof requestRound>>;

/** Requests a round of a node. Mines the block that decides the draws, and the next one, which can read its hash. */
export async function requestRound(market: MarketFixture, nodeId = 1, seed = "salt") {
  const draws = Array.from({ length: 8 }, (_, place) => ({
    port: 4_000 + place,
    salt: keccak256(toBytes(`${seed} ${place}`)),
  }));
  const { root, proofOf } = drawTreeOf(draws);
  const receipt = await market.mined(
    market.measure.write.request([[{ nodeId, draws: root }]], { account: market.people.keeper }),
  );
  const [log] = parseEventLogs({ abi: measureAbi, logs: receipt.logs, eventName: "MeasureRequested" });
  if (log === undefined) throw new Error("No round was announced.");
  const { roundId, opensAt, closesAt, drawBlock } = log.args;
  await market.connection.networkHelpers.mine(1);
  await market.connection.networkHelpers.mine(1);
  const drawn: Drawn[] = await Promise.all(
    draws.map(async ({ port, salt }, draw) => {
      const measurerId = await market.measure.read.drawnBy([roundId, salt]);
      return { draw, measurerId, port, salt, proof: proofOf(draw) };
    }),
  );
  return { roundId, opensAt, closesAt, drawBlock, root, drawn };
}

/** The same, with salts that draw at least `measurers` of them: a test cannot choose which ones the deciding block draws. */
export async function requestDrawing(market: MarketFixture, measurers: number, nodeId = 1): Promise<Round> {
  for (let attempt = 0; ; attempt += 1) {
    const snapshot = await market.connection.networkHelpers.takeSnapshot();
    const round = await requestRound(market, nodeId, `attempt ${attempt}`);
    if (new Set(round.drawn.map(({ measurerId }) => measurerId)).size >= measurers) return round;
    await snapshot.restore();
  }
}

/** Sends a draw's result, signed by the key of that name. */
export async function reveal(
  market: MarketFixture,
  name: string,
  { roundId }: { roundId: bigint },
  drawn: Drawn,
  changes: object = {},
) {
  const message = { roundId, ...drawn, result, deadline: later, ...changes };
  const signature = await keyOf(name).signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: revealTypes,
    primaryType: "Reveal",
    message,
  });
  return market.mined(market.measure.write.revealBatch([[message], [signature]]));
}

export const finalize = (market: MarketFixture, ...roundIds: bigint[]) =>
  market.mined(market.measure.write.finalize([roundIds]));
