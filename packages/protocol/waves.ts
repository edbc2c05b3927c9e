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
