import { measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import {
  domainOf,
  measurerConsentTypes,
  measurerRegistrationTypes,
  revealTypes,
} from "@ngpu/contracts-sdk/typedData";
import { type DrawProof, drawTreeOf } from "@ngpu/protocol/drawTree";
import { type Address, type Hex, keccak256, type LocalAccount, parseEventLogs, toBytes } from "viem";
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

/** A wallet's signature that accepts the measurer of a key. */
export const consentTo = (market: MarketFixture, key: Address, wallet: LocalAccount) =>
  wallet.signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: measurerConsentTypes,
    primaryType: "MeasurerConsent",
    message: { key, wallet: wallet.address },
  });

/** @param wallet Another wallet than the measurer's key, which consents; where it does not, its address and `consent`. */
export async function addMeasurer(
  market: MarketFixture,
  name: string,
  wallet?: Pick<LocalAccount, "address"> | LocalAccount,
  consent?: Hex,
  account?: Address,
) {
  const key = keyOf(name).address;
  const message = {
    key,
    wallet: wallet?.address ?? zeroAddress,
    region: "0x4445" as Hex,
    deadline: later,
    consent: consent ?? (wallet === undefined ? "0x" : await consentTo(market, key, wallet as LocalAccount)),
  };
  const signature = await keyOf(name).signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: measurerRegistrationTypes,
    primaryType: "MeasurerRegistration",
    message,
  });
  const options = account === undefined ? {} : { account };
  return market.mined(market.measure.write.registerMeasurerBatch([[message], [signature]], options));
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
