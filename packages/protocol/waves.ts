import { z } from "zod";
import { storableText } from "./storableText.ts";

/*
 * How a wave of the proof of hardware reaches a node, and the form of its answers. docs/adr/0047-a-wave-on-a-node.md has the reasons.
 */

const hash = z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{64}$/)]);
const block = z
  .number()
  .int()
  .min(0)
  .max(2 ** 48);
/** As the proof's own limits: 4 MiB to 4 TiB, and ten minutes. */
const bytes = z
  .union([z.bigint(), z.string().regex(/^\d{1,13}$/)])
  .transform(BigInt)
  .refine((value) => value >= 2n ** 22n && value <= 2n ** 42n, "is not 4 MiB to 4 TiB");
const milliseconds = z.number().int().min(1).max(600_000);
const device = z.number().int().min(0).max(255);

/** Most devices of one node in a wave. */
export const maxWaveDevices = 64;

/** The blocks that give a wave's seeds and end its parts, in the order of the chain. */
export const waveBlocks = z
  .strictObject({ fill: block, chase: block, work: block, answered: block, audit: block })
  .refine(
    ({ fill, chase, work, answered, audit }) =>
      fill < chase && chase < work && work < answered && answered < audit && audit - fill <= 10_000,
    "are not in the order fill, chase, work, answered, audit within 10,000 blocks",
  );

/** To a node: prove these devices in a wave, and answer on `port` of all addresses until `closesAt` (Unix seconds). */
export const waveMessage = z.strictObject({
  type: z.literal("wave"),
  nodeId: z
    .number()
    .int()
    .min(1)
    .max(2 ** 32 - 1),
  image: storableText(500),
  port: z.number().int().min(1_024).max(65_535),
  /** What measurers show to read the answers. */
  token: z.string().regex(/^[\x21-\x7e]{16,128}$/),
  blocks: waveBlocks,
  /** Time from a part's block to the last one that may include its root. */
  milliseconds: z.strictObject({ chase: milliseconds, work: milliseconds }),
  claims: z
    .array(z.strictObject({ device, bytes }))
    .min(1)
    .max(maxWaveDevices)
    .refine(
      (claims) => new Set(claims.map((claim) => claim.device)).size === claims.length,
      "name one twice",
    ),
  closesAt: z
    .number()
    .int()
    .min(0)
    .max(2 ** 40),
});
export type WaveOrder = z.output<typeof waveMessage>;

const count = z
  .number()
  .int()
  .min(1)
  .max(2 ** 20);
const committed = z.strictObject({ lanes: count, legs: count, root: hash });

/** What a node commits to: of the chase before the work's block, and of both before the audit's. */
export const waveAnswer = z.strictObject({ chase: committed, work: committed });
export const waveChase = committed;

/** The parts of a device's answer, in their order. The transcript is bytes, the others are JSON. */
export const wavePartNames = ["chase", "answer", "transcript"] as const;
export type WavePartName = (typeof wavePartNames)[number];

/** Most bytes of each part: a transcript of the largest trees has 620,000. */
export const wavePartBytes: Record<WavePartName, number> = { chase: 256, answer: 512, transcript: 2 ** 20 };

const id = z
  .number()
  .int()
  .min(1)
  .max(2 ** 32 - 1);

/** Most nodes of one order to a measurer, so that a message stays far below a session's limit. */
export const maxWaveNodes = 2_000;

/**
 * To a measurer that a wave draws: read the answers of these nodes, and state what their devices proved. A large wave comes in
 * parts. What the nodes claim, and the wave's blocks, are the chain's.
 */
export const measureWaveMessage = z.strictObject({
  type: z.literal("measureWave"),
  waveId: id,
  measurerId: id,
  fill: block,
  part: z.number().int().min(0).max(999),
  parts: z.number().int().min(1).max(1_000),
  nodes: z
    .array(z.strictObject({ nodeId: id, url: z.url(), token: z.string().regex(/^[\x21-\x7e]{16,128}$/) }))
    .max(maxWaveNodes),
});
export type MeasureWaveOrder = z.output<typeof measureWaveMessage>;

/** Most bytes of a list of exceptions: three times that of 10,000 nodes that all fail. */
const maxListBytes = 48 << 10;

/** From a measurer: what it committed to, once no one can commit any more. `list`: the devices that proved less than they claim. */
export const waveRevealMessage = z.strictObject({
  type: z.literal("waveReveal"),
  waveId: id,
  measurerId: id,
  results: hash,
  transcripts: hash,
  exceptions: hash,
  salt: hash,
  list: z
    .templateLiteral(["0x", z.string().regex(/^([0-9a-f]{2})*$/)])
    .refine((list) => list.length <= 2 + 2 * maxListBytes, "is too long"),
});
export type WaveRevealMessage = z.output<typeof waveRevealMessage>;
