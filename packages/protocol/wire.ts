import { z } from "zod";
import { type RelayKind, relayKinds } from "./relayKinds.ts";

/** The session that a node or a measurer holds with match: JSON messages over one WebSocket at `/v1/session`. */

const hex = z
  .string()
  .regex(/^0x[0-9a-fA-F]*$/)
  .transform((value) => value as `0x${string}`);
const decimal = z.union([z.bigint(), z.string().regex(/^\d{1,20}$/)]).transform(BigInt);
const relayKind = z.enum(Object.keys(relayKinds) as [RelayKind, ...RelayKind[]]);

export const sessionRole = z.enum(["node", "measurer"]);

/** What a node or measurer says. */
export const clientMessage = z.discriminatedUnion("type", [
  /** First message: answers the challenge with a signature of sessionTypes.Session. */
  z.strictObject({
    type: z.literal("hello"),
    role: sessionRole,
    key: hex,
    time: decimal,
    signature: hex,
    version: z.string().max(40),
    /** Host name or address under which mapped ports are reached from outside; the peer address when left out. */
    host: z.string().max(255).optional(),
  }),
  z.strictObject({
    type: z.literal("heartbeat"),
    slot: decimal,
    /** 0 to 1 of all cores; load serves routing and pages, never placement. */
    cpuLoad: z.number().min(0),
    freeDiskGib: z.number().min(0),
    /** `workspaceId/replica/lease` of each container that runs now. */
    running: z.array(z.string().max(60)).max(1024),
  }),
  /** A signed message for the chain; `id` is the sender's, for the answer. */
  z.strictObject({
    type: z.literal("relay"),
    id: z.string().max(64),
    kind: relayKind,
    message: z.unknown(),
    signature: hex,
  }),
  /** Live progress of a download; never goes to the chain. */
  z.strictObject({
    type: z.literal("live"),
    workspaceId: decimal,
    replica: z.number().int(),
    lease: z.number().int(),
    percent: z.number().min(0).max(100),
    bytesPerSecond: z.number().min(0),
  }),
  z.strictObject({
    type: z.literal("probeReady"),
    roundId: decimal,
    port: z.number().int().min(1).max(65535),
  }),
  /**
   * What came of an image that the node was asked to bring ahead of demand. `held`: it was there already, and not by that;
   * `evicted`: it was brought, and made room.
   */
  z.strictObject({
    type: z.literal("prefetched"),
    image: hex,
    outcome: z.enum(["present", "held", "failed", "evicted"]),
    reason: z.string().max(100).optional(),
  }),
  z.strictObject({ type: z.literal("probeFailed"), roundId: decimal, reason: z.string().max(500) }),
  z.strictObject({ type: z.literal("measureFailed"), roundId: decimal, reason: z.string().max(500) }),
]);

/** What match says. */
export const serverMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("challenge"), challenge: hex, audience: z.string() }),
  /** `id` is the node id or measurer id, null before the registration is on the chain (sent again once it is). */
  z.strictObject({
    type: z.literal("welcome"),
    id: z.number().int().nullable(),
    heartbeatSeconds: z.number().positive(),
  }),
  /** The heartbeat is noted. The first of a slot comes with a receipt (`chain/heartbeatReceipt.ts`) within a second. */
  z.strictObject({
    type: z.literal("ack"),
    slot: decimal,
    receipt: z.strictObject({ root: hex, signature: hex, proof: z.array(hex).max(32) }).optional(),
  }),
  z.strictObject({
    type: z.literal("relayed"),
    id: z.string(),
    status: z.enum(["queued", "confirmed", "refused"]),
    txHash: hex.optional(),
    reason: z.string().optional(),
  }),
  /** To a node: run the probe container, its server mapped to `port` on all addresses, until `closesAt` (Unix seconds). */
  z.strictObject({
    type: z.literal("probe"),
    roundId: decimal,
    port: z.number().int(),
    token: z.string(),
    image: z.string(),
    closesAt: z.number().int(),
  }),
  /** To a node: bring this image ahead of demand, as far as there is room; `sizeBytes` is what it takes packed. */
  z.strictObject({
    type: z.literal("prefetch"),
    image: hex,
    reference: z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$/),
    sizeBytes: decimal,
  }),
  /**
   * To a measurer: measure the probe at `url`, sign and relay a `reveal` with this draw. `awaitProbe`: the node has not said that
   * its probe answers; if nothing does until the window is nearly over, it is absent.
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
  /** The probe of this round is no longer needed. */
  z.strictObject({ type: z.literal("probeDone"), roundId: decimal }),
  /** Sent before the session is closed. */
  z.strictObject({ type: z.literal("error"), code: z.string(), message: z.string() }),
]);

export type ClientMessage = z.output<typeof clientMessage>;
export type ServerMessage = z.output<typeof serverMessage>;
