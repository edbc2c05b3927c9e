import { FatalError } from "@ngpu/runtime/errors";
import { z } from "zod";

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/)
  .transform((value) => value as `0x${string}`);

const contracts = z.object({
  AccessManager: address,
  ComputeNode: address,
  DockerContract: address,
  Progress: address,
  Measure: address,
  ProofWaves: address,
  Escrow: address,
  Pomc: address,
  Token: address,
});

const count = z.number().int().nonnegative().default(0);

/** The highest ids that the previous contracts can have issued, and their last epoch and receipt batch. */
export const idsBefore = {
  workspaces: count,
  authorizations: count,
  rounds: count,
  measurers: count,
  waves: count,
  epochs: count,
  /** Numbers of task receipt batches. */
  batches: count,
};
const before = z.object(idsBefore).prefault({});

const blocks = z.number().int().min(1).max(65_535);
/**
 * The blocks of waves of the proof of hardware: see IProofWaves.Settings. By default one in three hours, of
 * 102 s, at 2 s a block: docs/trust.md has the reasons.
 */
export const waveTerms = z.strictObject({
  stride: blocks.default(4),
  chance: z.number().int().positive().default(1_350),
  fillBlocks: blocks.default(15),
  chaseBlocks: blocks.default(30),
  workBlocks: blocks.default(6),
  commitBlocks: blocks.default(150),
  revealBlocks: blocks.default(50),
});

/** The file that a deployment writes: addresses of the contracts and their parameters. */
const deploymentSchema = z.object({
  chainId: z.number().int().positive(),
  /** The first block that can contain an event of the market. */
  startBlock: z.coerce.bigint(),
  contracts,
  /** Periods in seconds. */
  parameters: z.object({
    slotSeconds: z.number().int().positive(),
    /** Seconds after the end of a slot during which it can be committed, disputed and challenged. */
    heartbeatWindowSeconds: z.number().int().positive(),
    /** The part of the registered nodes that a committer may leave out of a slot alone, in basis points. */
    absenceBasisPoints: z.number().int().nonnegative().default(500),
    /** Length of the days that uptime roots are committed for. */
    daySeconds: z.number().int().positive(),
    uptimeDelay: z.number().int().nonnegative(),
    epochSeconds: z.number().int().positive(),
    /** Seconds after the end of an epoch in which evidence about it still counts. */
    settlementSeconds: z.number().int().nonnegative(),
    activationDelay: z.number().int().nonnegative(),
    /** Unix time at which epoch 1 begins. */
    genesis: z.number().int().positive(),
    measureWindowSeconds: z.number().int().positive(),
    measureTtlSeconds: z.number().int().positive(),
    waves: waveTerms.prefault({}),
    clockMarginSeconds: z.number().int().nonnegative(),
    /** The terms of leases: see IEscrowTypes.Terms. */
    minSeconds: z.number().int().positive().default(600),
    lockFloor: z.coerce.bigint().default(0n),
    startSeconds: z.number().int().positive().default(3_600),
    restSeconds: z.number().int().positive().default(120),
    refundDays: z.number().int().min(1).max(2).default(1),
    /** Token units (1e-18) granted at most for one epoch. */
    emissionPerEpoch: z.coerce.bigint(),
    /** Share of every payout to a node that is burned, in basis points (1/100 of a percent). */
    feeBasisPoints: z.number().int().nonnegative(),
    before,
  }),
  /** The replaced contracts, oldest first. They keep serving what they began. */
  previous: z
    .array(
      z.object({
        contracts: contracts.partial(),
        parameters: z.object({
          before,
          /** Token units (1e-18) granted at most for one of its epochs. Default: the current value. */
          emissionPerEpoch: z.coerce.bigint().optional(),
        }),
      }),
    )
    .default([]),
});

export type Deployment = z.infer<typeof deploymentSchema>;
export type ContractName = keyof Deployment["contracts"];

/** @throws FatalError `deployment_invalid`, listing the invalid fields. */
export function parseDeployment(value: unknown): Deployment {
  const parsed = deploymentSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FatalError(`The deployment is not valid:\n${z.prettifyError(parsed.error)}`, {
    code: "deployment_invalid",
    hint: "Recreate it with `npm run deploy`.",
  });
}
