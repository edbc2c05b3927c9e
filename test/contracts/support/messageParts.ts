import * as typed from "@ngpu/contracts-sdk/typedData";
import type { Hex, TypedData } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later, type MarketFixture } from "./market.ts";
import { addMeasurer, type Drawn, requestDrawing, result } from "./measure.ts";
import { zeroAddress, zeroHash } from "./reverts.ts";
import type { Fields, Market, Signed } from "./signed.ts";
import { mineBefore, openWave } from "./waves.ts";

type NodeBatch = "registerBatch" | "updateSpecBatch" | "setStatusBatch" | "setWalletBatch" | "setKeyBatch";

/** A message about a node that its key signs. */
export function nodeMessage(
  market: MarketFixture,
  signer: PrivateKeyAccount,
  types: TypedData,
  primaryType: string,
  batch: NodeBatch,
) {
  return {
    signer,
    domain: typed.domainOf(market.deployment, "ComputeNode"),
    types,
    primaryType,
    repeated: "SequenceStale",
    ...(batch !== "registerBatch" && { isSequence: true as const }),
    deadline: "deadline" as const,
    send: (given: Fields, signature: Hex, account: Hex) =>
      market.mined(sendBatch(market, batch, given, signature, account)),
  };
}

function sendBatch(market: MarketFixture, batch: NodeBatch, given: Fields, signature: Hex, account: Hex) {
  const { write } = market.computeNode;
  const item = given as never;
  const signatures = [signature];
  if (batch === "registerBatch") return write.registerBatch([[item], signatures], { account });
  if (batch === "updateSpecBatch") return write.updateSpecBatch([[item], signatures], { account });
  if (batch === "setStatusBatch") return write.setStatusBatch([[item], signatures], { account });
  if (batch === "setKeyBatch") return write.setKeyBatch([[item], signatures], { account });
  return write.setWalletBatch([[item], signatures], { account });
}

/** A round in which two measurers are drawn, at the time of their reveals. */
export async function revealMessage(market: Market): Promise<Signed> {
  const { measure, mined, time } = market;
  const domain = typed.domainOf(market.deployment, "Measure");
  const signers = [keyOf("measurer one"), keyOf("measurer two")] as const;
  const registrations = signers.map(({ address }) => {
    return {
      key: address,
      wallet: zeroAddress,
      region: "0x4445" as Hex,
      deadline: later,
      consent: "0x" as Hex,
    };
  });
  const types = typed.measurerRegistrationTypes;
  const signatures = registrations.map((message, place) =>
    (signers[place] as PrivateKeyAccount).signTypedData({
      domain,
      types,
      primaryType: "MeasurerRegistration",
      message,
    }),
  );
  await measure.write.registerMeasurerBatch([registrations, await Promise.all(signatures)]);
  const { roundId, opensAt, drawn: draws } = await requestDrawing(market, 2);
  const drawn = [1, 2].map((measurerId) => {
    const draw = draws.find((one) => one.measurerId === measurerId);
    return { roundId, ...(draw as Drawn), result, deadline: later };
  }) as [Reveal, Reveal];
  await time.increaseTo(opensAt);
  return {
    signer: signers[0],
    domain,
    types: typed.revealTypes,
    primaryType: "Reveal",
    message: drawn[0],
    second: { signer: signers[1], message: drawn[1] },
    repeated: "MeasureAlreadySubmitted",
    deadline: "deadline",
    send: (given, signature, account) =>
      mined(measure.write.revealBatch([[given as Reveal], [signature]], { account })),
  };
}

/** A wave of two measurers, in the blocks of its first stage. */
export async function wavePostMessage(market: Market): Promise<Signed> {
  for (const name of ["wave measurer 1", "wave measurer 2"]) await addMeasurer(market, name);
  const { waveId, chase } = await openWave(market);
  await mineBefore(market, chase + 1);
  const of = (measurerId: number) => ({ waveId, measurerId, stage: 0, root: zeroHash });
  return {
    signer: keyOf("wave measurer 1"),
    domain: typed.domainOf(market.deployment, "ProofWaves"),
    types: typed.wavePostTypes,
    primaryType: "WavePost",
    message: of(1),
    second: { signer: keyOf("wave measurer 2"), message: of(2) },
    repeated: "WaveStageNotNext",
    deadline: undefined,
    send: (given, signature, account) =>
      market.mined(
        market.waves.write.postBatch([[given as ReturnType<typeof of>], [signature]], { account }),
      ),
  };
}

type Reveal = Drawn & { roundId: bigint; result: typeof result; deadline: bigint };
