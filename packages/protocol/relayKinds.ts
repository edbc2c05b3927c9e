import * as types from "@ngpu/contracts-sdk/typedData";
import type { Hex } from "viem";
import { z } from "zod";
import { heartbeatAckTypes, provenWordOf } from "./heartbeatAck.ts";
import { packProgress, packReport } from "./packedReports.ts";
import { address, big, bytes, consent, leaseFields, measurement, nodeSpec, small } from "./relayFields.ts";
import { storableText } from "./storableText.ts";

/**
 * Every kind of message that a node or a measurer signs and match relays: its contract and batch function, its EIP-712
 * type and its schema. Uints up to 32 bits are numbers; wider ones are bigints (decimal strings on the wire).
 */
export const relayKinds = {
  register: {
    contract: "ComputeNode",
    functionName: "registerBatch",
    types: types.registrationTypes,
    primaryType: "Registration",
    message: z.strictObject({
      key: address,
      wallet: address,
      spec: nodeSpec,
      pricePerSecond: big(64),
      gpuName: storableText(120),
      gpuUuids: z.array(bytes(32)).max(64),
      deadline: big(64),
      consent,
    }),
  },
  updateSpec: {
    contract: "ComputeNode",
    functionName: "updateSpecBatch",
    types: types.specUpdateTypes,
    primaryType: "SpecUpdate",
    message: z.strictObject({
      nodeId: small(32),
      spec: nodeSpec,
      pricePerSecond: big(64),
      gpuName: storableText(120),
      sequence: small(24),
      deadline: big(64),
    }),
  },
  setStatus: {
    contract: "ComputeNode",
    functionName: "setStatusBatch",
    types: types.statusChangeTypes,
    primaryType: "StatusChange",
    message: z.strictObject({ nodeId: small(32), status: small(8), sequence: small(24), deadline: big(64) }),
  },
  setWallet: {
    contract: "ComputeNode",
    functionName: "setWalletBatch",
    types: types.walletChangeTypes,
    primaryType: "WalletChange",
    message: z.strictObject({
      nodeId: small(32),
      wallet: address,
      sequence: small(16),
      deadline: big(64),
      consent,
    }),
  },
  /** Another key for a node; the signature is its wallet's. */
  setKey: {
    contract: "ComputeNode",
    functionName: "setKeyBatch",
    types: types.keyChangeTypes,
    primaryType: "KeyChange",
    message: z.strictObject({
      nodeId: small(32),
      key: address,
      sequence: small(16),
      deadline: big(64),
      consent,
    }),
  },
  /** The consent of the wallet that a node nominated; the signature is the wallet's. */
  acceptNode: {
    contract: "ComputeNode",
    functionName: "acceptNodes",
    types: types.walletConsentTypes,
    primaryType: "WalletConsent",
    message: z.strictObject({
      nodeId: small(32),
      key: address,
      wallet: address,
      sequence: small(16),
      /** Unix seconds after which it is not relayed; not signed. */
      deadline: big(64),
    }),
    /** What the batch function takes of the message. */
    item: ({ nodeId }: { nodeId: number }) => nodeId,
  },
  report: {
    contract: "DockerContract",
    functionName: "reportBatch",
    types: types.reportTypes,
    primaryType: "Report",
    message: z.strictObject({
      ...leaseFields,
      state: small(8),
      detail: bytes(32),
      sequence: small(24),
      deadline: big(48),
    }),
    pack: packReport,
  },
  progress: {
    contract: "Progress",
    functionName: "reportBatch",
    types: types.progressReportTypes,
    primaryType: "ProgressReport",
    message: z.strictObject({ ...leaseFields, milestone: small(8), deadline: big(64) }),
    pack: packProgress,
  },
  /** A heartbeat acknowledgement; the signature is the acknowledger's. */
  dispute: {
    contract: "ComputeNode",
    functionName: "disputeHeartbeats",
    types: heartbeatAckTypes,
    primaryType: "HeartbeatAck",
    message: z.strictObject({
      slot: big(64),
      /** At least 1: the node whose word is proven; not signed. */
      nodeId: small(32).min(1),
      root: bytes(32),
      bits: bytes(32),
      proof: z.array(bytes(32)).max(32),
      /** Unix seconds after which it is not relayed; not signed. */
      deadline: big(64),
    }),
    pack: (message: { slot: bigint; nodeId: number; bits: Hex; proof: Hex[] }, signature: Hex) => ({
      slot: message.slot,
      ...provenWordOf(message),
      signature,
    }),
  },
  registerMeasurer: {
    contract: "Measure",
    functionName: "registerMeasurerBatch",
    types: types.measurerRegistrationTypes,
    primaryType: "MeasurerRegistration",
    message: z.strictObject({
      key: address,
      wallet: address,
      region: bytes(2),
      deadline: big(64),
      /** The wallet's, where it is not the key itself. */
      consent,
    }),
  },
  reveal: {
    contract: "Measure",
    functionName: "revealBatch",
    types: types.revealTypes,
    primaryType: "Reveal",
    message: z.strictObject({
      roundId: big(64),
      measurerId: small(32),
      draw: small(8),
      port: small(16),
      salt: bytes(32),
      proof: z.tuple([bytes(32), bytes(32), bytes(32)]),
      result: measurement,
      deadline: big(64),
    }),
  },
  claimHardware: {
    contract: "ProofWaves",
    functionName: "claimBatch",
    types: types.hardwareClaimTypes,
    primaryType: "HardwareClaim",
    message: z.strictObject({
      nodeId: small(32),
      devices: z.array(bytes(32)).max(64),
      deadline: big(64),
    }),
  },
  postWave: {
    contract: "ProofWaves",
    functionName: "postBatch",
    types: types.wavePostTypes,
    primaryType: "WavePost",
    message: z.strictObject({
      waveId: small(32),
      measurerId: small(32),
      stage: small(8),
      root: bytes(32),
      /** Unix seconds after which it is not relayed; not signed. */
      deadline: big(64),
    }),
  },
} as const;

export type RelayKind = keyof typeof relayKinds;
export type RelayMessage<Kind extends RelayKind> = z.output<(typeof relayKinds)[Kind]["message"]>;
