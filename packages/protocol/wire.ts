import { z } from "zod";
import { type RelayKind, relayKinds } from "./relayKinds.ts";
import { storableText } from "./storableText.ts";
import { measureWaveMessage, waveMessage, waveRevealMessage } from "./waves.ts";

/** The session of a node or a measurer with match: JSON messages over a WebSocket at `/v1/session`. */

const hex = z
  .string()
  .regex(/^0x[0-9a-fA-F]*$/)
  .transform((value) => value as `0x${string}`);
const decimal = z.union([z.bigint(), z.string().regex(/^\d{1,20}$/)]).transform(BigInt);
/** An id or a slot: as large as Postgres' bigint. */
const id = decimal.refine((value) => value >= 0n && value < 2n ** 63n, "does not fit in 63 bits");
const relayKind = z.enum(Object.keys(relayKinds) as [RelayKind, ...RelayKind[]]);

const leaseId = {
  workspaceId: id,
  replica: z
    .number()
    .int()
    .min(0)
    .max(2 ** 16 - 1),
  lease: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1),
};

/** A card that a node does not offer, and why. The name and the detail are what its driver printed. */
export const sickGpu = z.strictObject({
  code: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/),
  /** UUID, bus address or tool: identifies the card to its operator. */
  id: storableText(120),
  name: storableText(120).nullable(),
  detail: storableText(300),
});
/** Most sick cards of one heartbeat. */
export const maxSickGpus = 64;

export const sessionRole = z.enum(["node", "measurer"]);

/** Messages from a node or measurer to match. */
export const clientMessage = z.discriminatedUnion("type", [
  /** The first message: responds to the challenge with a signature of sessionTypes.Session. */
  z.strictObject({
    type: z.literal("hello"),
    role: sessionRole,
    key: hex,
    time: decimal,
    signature: hex,
    version: storableText(40),
    /** Host name or address at which mapped ports are reachable from outside. Default: the peer address. */
    host: storableText(255).optional(),
  }),
  z.strictObject({
    type: z.literal("heartbeat"),
    slot: id,
    /** Load of all cores, 0 to 1. Used for routing and dashboards, never for placement. */
    cpuLoad: z.number().min(0),
    freeDiskGib: z.number().min(0),
    /** `workspaceId/replica/lease` of each running container. */
    running: z.array(storableText(60)).max(1024),
    /** Shown by the API. Placement reads the offer on the chain, which has the healthy cards alone. */
    sickGpus: z.array(sickGpu).max(maxSickGpus).optional(),
  }),
  /** A signed message for the chain. The sender chooses `id`; the response repeats it. */
  z.strictObject({
    type: z.literal("relay"),
    id: storableText(64),
    kind: relayKind,
    message: z.unknown(),
    signature: hex,
  }),
  /** Live progress of a download. Never sent to the chain. */
  z.strictObject({
    type: z.literal("live"),
    ...leaseId,
    percent: z.number().min(0).max(100),
    bytesPerSecond: z.number().min(0),
  }),
  /**
   * Why a lease of this node does not run, or null once it runs. `code` and `details` are checked by `parseNodeReason`, so that
   * a code that match does not know ends no session. `count`: occurrences since the client's start.
   */
  z.strictObject({
    type: z.literal("reason"),
    ...leaseId,
    fence: hex.refine((value) => value.length <= 66, "is longer than 32 bytes"),
    code: storableText(64).nullable(),
    details: z.unknown().optional(),
    count: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  }),
  /** Asks for the secrets of a lease. The signature is of typedData's SecretRequest, by the node's key. */
  z.strictObject({
    type: z.literal("secrets"),
    ...leaseId,
    fence: hex.refine((value) => value.length === 18, "is not 8 bytes"),
    key: hex.refine((value) => value.length === 66, "is not 32 bytes"),
    signature: hex.refine((value) => value.length === 132, "is not 65 bytes"),
  }),
  z.strictObject({
    type: z.literal("probeReady"),
    roundId: id,
    port: z.number().int().min(1).max(65535),
  }),
  /**
   * The outcome of a prefetch. `present`: the image was fetched. `held`: the node already had the image, not because of
   * a prefetch. `evicted`: the fetched image was removed to free disk space.
   */
  z.strictObject({
    type: z.literal("prefetched"),
    image: hex,
    outcome: z.enum(["present", "held", "failed", "evicted"]),
    reason: storableText(100).optional(),
  }),
  z.strictObject({ type: z.literal("probeFailed"), roundId: id, reason: storableText(500) }),
  z.strictObject({ type: z.literal("measureFailed"), roundId: id, reason: storableText(500) }),
  waveRevealMessage,
]);

/** Messages from match to a node or measurer. */
export const serverMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("challenge"), challenge: hex, audience: z.string() }),
  /** `id` is the node or measurer id. It is null until the registration is on the chain; then welcome is sent again. */
  z.strictObject({
    type: z.literal("welcome"),
    id: z.number().int().nullable(),
    heartbeatSeconds: z.number().positive(),
  }),
  /** Acknowledges a heartbeat. For the first one of a slot the signed acknowledgement (heartbeatAck.ts) is included. */
  z.strictObject({
    type: z.literal("ack"),
    slot: decimal,
    signed: z.strictObject({ root: hex, signature: hex, bits: hex, proof: z.array(hex).max(32) }).optional(),
  }),
  z.strictObject({
    type: z.literal("relayed"),
    id: z.string(),
    status: z.enum(["queued", "confirmed", "refused"]),
    txHash: hex.optional(),
    reason: z.string().optional(),
  }),
  /** To a node: a lease's secrets, sealed for `key`, in base64; or why it gets none. */
  z.strictObject({
    type: z.literal("secrets"),
    ...leaseId,
    key: hex,
    sealed: z.base64().optional(),
    refused: z.string().max(64).optional(),
    /** Names of secrets that the owner has not set. */
    names: z.array(z.string().max(128)).max(128).optional(),
  }),
  /**
   * To a node: run the probe container until `closesAt` (Unix seconds), with its server on `ports` of all addresses. The first
   * is `port`, by which the node reports it as ready.
   */
  z.strictObject({
    type: z.literal("probe"),
    roundId: decimal,
    port: z.number().int(),
    ports: z.array(z.number().int().min(1).max(65_535)).min(1).max(8),
    token: z.string(),
    image: z.string(),
    closesAt: z.number().int(),
  }),
  /** To a node: prefetch this image if the disk has space. `sizeBytes` is its compressed size. */
  z.strictObject({
    type: z.literal("prefetch"),
    image: hex,
    reference: z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$/),
    sizeBytes: decimal,
  }),
  /**
   * To a measurer: measure the probe at `url`, then sign and relay a `reveal` with this draw. `awaitProbe`: the node
   * has not reported that its probe is ready. If the probe does not respond until shortly before `closesAt`, the node
   * is absent.
   */
  z.strictObject({
    type: z.literal("measure"),
    roundId: decimal,
    nodeId: z.number().int(),
    measurerId: z.number().int(),
    url: z.url(),
    awaitProbe: z.boolean(),
    draw: z.number().int(),
    port: z.number().int(),
    salt: hex,
    proof: z.tuple([hex, hex, hex]),
    token: z.string(),
    closesAt: z.number().int(),
  }),
  waveMessage,
  measureWaveMessage,
  /** The probe of this round is no longer needed. */
  z.strictObject({ type: z.literal("probeDone"), roundId: decimal }),
  /** Sent before match closes the session. */
  z.strictObject({
    type: z.literal("error"),
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
]);

export type SickGpuReport = z.output<typeof sickGpu>;
export type ClientMessage = z.output<typeof clientMessage>;
export type ServerMessage = z.output<typeof serverMessage>;
