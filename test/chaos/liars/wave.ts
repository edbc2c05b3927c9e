import type { Claim } from "@ngpu/proof/record";
import { operationsLimitBy } from "@ngpu/waves/claims";
import { encodeExceptions } from "@ngpu/waves/exceptions";
import { revealHashOf, revealOf } from "@ngpu/waves/reveal";
import { allShares } from "@ngpu/waves/shares";
import { type Hex, keccak256, stringToHex, zeroHash } from "viem";
import { createWaveBook, type WaveResult } from "../../../node-client/measure/waves/book.ts";
import type { MarketFixture } from "../../contracts/support/market.ts";
import { mineBefore, openWave, post } from "../../contracts/support/waves.ts";
import type { Answering, Kind } from "./kinds.ts";

/** A node of a kind: its place among the kind's names. */
export type Name = { nodeId: number; kind: Kind; name: number };

/** Measurers 1 to 4 are honest. */
export const measurers = { honest: [1, 2, 3, 4], copying: 5, withholding: 6, lying: 7 } as const;
const all = [...measurers.honest, measurers.copying, measurers.withholding, measurers.lying];

export type StagedWave = {
  waveId: number;
  results: WaveResult[];
  /** Whether the contract refused the reveal of results that another measurer committed to. */
  copyRefused: boolean;
};

/**
 * Goes through a wave on the contracts. Chase and work have a block each, a second after their seed's, whatever time the
 * provers take: the chain is the clock. Answers are judged by the measurer's own code.
 *
 * @param friend The node that a measurer passes whatever it answers.
 */
export async function stageWave(
  market: MarketFixture,
  place: number,
  names: readonly Name[],
  friend: number,
): Promise<StagedWave> {
  const wave = await openWave(market);
  const { waveId } = wave;
  const answering = names.map(({ kind, name }) => kind.answer(place, name));
  const book = createWaveBook(
    1,
    names.map(({ nodeId, kind: { claimed } }) => ({ nodeId, device: 0, claimed })),
  );
  const hashes: Claim["blocks"] = { fill: wave.fillHash, chase: zeroHash, work: zeroHash, audit: zeroHash };
  const claimOf = ({ nodeId, kind: { claimed } }: Name): Claim => ({
    nodeId: BigInt(nodeId),
    device: 0,
    bytes: claimed.figures.bytes,
    blocks: { ...hashes },
    milliseconds: { chase: 1_000, work: 1_000 },
    operationsLimit: operationsLimitBy(claimed),
  });
  const each = async <Part>(of: (answering: Answering, claim: Claim) => Promise<Part>): Promise<Part[]> => {
    const parts: Part[] = [];
    for (const [index, name] of names.entries())
      parts.push(await of(answering[index] as Answering, claimOf(name)));
    return parts;
  };
  const headOf = async (number: number) => market.client.getBlock({ blockNumber: BigInt(number) });
  const aSecondAfter = async (number: number) => {
    const { timestamp } = await headOf(number);
    await market.connection.networkHelpers.time.setNextBlockTimestamp(timestamp + 1n);
  };
  const toAll = (root: Hex) => all.map((measurerId) => ({ waveId, measurerId, root }));
  const take = (part: "chase" | "answer" | "transcript", parts: readonly (Uint8Array | undefined)[]) => {
    for (const [index, { nodeId }] of names.entries()) book.take({ nodeId, device: 0 }, part, parts[index]);
  };

  await mineBefore(market, wave.chase + 1);
  hashes.chase = (await headOf(wave.chase)).hash;
  take("chase", (await each(({ chase }, claim) => chase(claim))).map(jsonOf));
  await aSecondAfter(wave.chase);
  await post(market, "chase", toAll(book.chaseRoot()));
  hashes.work = (await headOf(wave.work)).hash;
  const answers = await each(({ answer }, claim) => answer(claim));
  take("answer", answers.map(jsonOf));
  await aSecondAfter(wave.work);
  await post(market, "answers", toAll(book.answersRoot()));
  await mineBefore(market, wave.audit + 1);
  hashes.audit = (await headOf(wave.audit)).hash;
  take("transcript", await each(({ transcript }, claim) => transcript(claim)));
  const results = await book.results({ hashes, milliseconds: { chase: 1_000, work: 1_000 } });
  const copyRefused = await reveal(market, wave, results, friend);
  return { waveId, results, copyRefused };
}

const jsonOf = (value: unknown) => (value === undefined ? undefined : Buffer.from(JSON.stringify(value)));

/** Commits and reveals what each measurer states. @returns whether the copied results were refused. */
async function reveal(
  market: MarketFixture,
  { waveId, audit, committed }: { waveId: number; audit: number; committed: number },
  results: readonly WaveResult[],
  friend: number,
): Promise<boolean> {
  const saltOf = (measurerId: number) => keccak256(stringToHex(`salt ${waveId} ${measurerId}`));
  const friendly = results.map((result) =>
    result.nodeId === friend ? { ...result, shares: allShares } : result,
  );
  const statedBy = (measurerId: number) => (measurerId === measurers.lying ? friendly : results);
  const revealBy = (measurerId: number) =>
    revealOf({ waveId, measurerId }, statedBy(measurerId), saltOf(measurerId));
  const commitments = all.map((measurerId) => {
    const of = measurerId === measurers.copying ? measurers.honest[0] : measurerId;
    return { waveId, measurerId, root: revealHashOf(revealBy(of).reveal) };
  });
  await mineBefore(market, audit + 1);
  await post(market, "results", commitments);
  await mineBefore(market, committed + 1);
  const revealing = [...measurers.honest, measurers.lying].map(revealBy);
  const lists = [...new Set(revealing.map(({ list }) => list))];
  await market.mined(market.waves.write.revealBatch([waveId, revealing.map((one) => one.reveal), lists]));
  const copied = { ...revealBy(measurers.honest[0]).reveal, measurerId: measurers.copying };
  const receipt = await market.mined(
    market.waves.write.revealBatch([waveId, [copied], [encodeExceptions([])]]),
  );
  const { stages } = await progressOf(market, waveId, measurers.copying);
  return receipt.status === "success" && stages < 4;
}

async function progressOf(market: MarketFixture, waveId: number, measurerId: number) {
  const [stages] = await market.waves.read.progressOf([waveId, measurerId]);
  return { stages };
}
