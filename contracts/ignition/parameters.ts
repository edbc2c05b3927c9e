import { idsBefore, waveTerms } from "@ngpu/contracts-sdk/deployment";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import type { RewardTerms } from "@ngpu/rewards/terms";
import { FatalError } from "@ngpu/runtime/errors";
import { zeroAddress } from "viem";
import { z } from "zod";

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "is not an address (0x and 40 hexadecimal digits)")
  .transform((value) => value as `0x${string}`);
const seconds = z.number().int().positive();
const delay = z.number().int().nonnegative();
const amount = z.coerce.bigint().nonnegative();

const basisPoints = z.number().int().min(0).max(10_000);
const rewardTerms = z
  .strictObject({
    measurerBasisPoints: basisPoints,
    taskBasisPoints: basisPoints,
    nodeTaskBasisPoints: basisPoints,
    payerTaskBasisPoints: basisPoints,
    measurerRate: amount,
    bond: amount,
    bondEpochs: z.number().int().min(0).max(65_535),
    bondDays: z.number().int().min(1).max(365),
    bondUptimePermille: z.number().int().min(1).max(1_000),
    catalogue: z
      .string()
      .regex(/^0x[0-9a-fA-F]{64}$/, "is not a hash")
      .transform((value) => value as `0x${string}`),
    classes: z.array(z.strictObject({ weight: amount, rate: amount, ceiling: amount })).max(16),
  })
  .partial();

/** The parameters of a deployment. Durations are seconds, amounts token units (1e-18). */
const givenSchema = z.strictObject({
  /** Holds ADMIN and governance; the deployer renounces its roles at the end. Default: the deployer keeps all roles. */
  admin: address.optional(),
  /** Holds the genesis supply. */
  treasury: address,
  /** May pause functions, and disable epochs before they activate. */
  guardian: address,
  /** Unpauses functions, after its delay; default: the admin. */
  unpauser: address.optional(),
  /** Sets committers, acknowledgers, keepers, witnesses and posters, and dismisses them at once; default: the admin alone. */
  operations: address.optional(),
  /** Delay between scheduling and executing a call, by role; the guardian may cancel the call in between. */
  delays: z
    .strictObject({
      admin: delay.default(172_800),
      operations: delay.default(86_400),
      unpauser: delay.default(86_400),
    })
    .prefault({}),
  committers: z.array(address),
  /** Accounts whose acknowledgements of heartbeats count; none of them may be a committer. */
  acknowledgers: z.array(address),
  /** Accounts that cosign slots without many nodes; none of them may be a committer or sign receipts. */
  cosigners: z.array(address).default([]),
  keepers: z.array(address),
  /** Accounts whose statements let keepers release the leases of silent nodes; none of them may be a keeper. */
  witnesses: z.array(address).default([]),
  measureKeepers: z.array(address),
  /** Posts reward epochs and uptime. */
  poster: address,
  /** Posts task receipts; another account than the poster. Default: none, so no receipts are accepted. */
  receiptsPoster: address.optional(),
  /** May attest epochs that they recomputed; accounts of others than the poster's operator. */
  watchers: z.array(address).default([]),
  slotSeconds: seconds,
  /** Time in which a heartbeat slot may be committed, disputed and challenged; at most 256 slots. */
  heartbeatWindowSeconds: seconds.default(3_600),
  /** Part of the registered nodes that a committer may leave out of a slot alone, in hundredths of a percent. */
  absenceBasisPoints: basisPoints.default(500),
  /** Length of the days that uptime roots are committed for; a multiple of a slot's. */
  daySeconds: seconds.default(86_400),
  /** Delay of an uptime root, in which the guardian may disable it. */
  uptimeDelay: z.number().int().nonnegative().default(3_600),
  /** Number of nodes that a wallet accepts in a period. */
  registrationLimit: z.number().int().positive().default(100),
  registrationSeconds: seconds.default(86_400),
  clockMarginSeconds: z.number().int().nonnegative(),
  /** Part of the live leases that the statements of one witness release in ten minutes, in hundredths of a percent. */
  lossBasisPoints: basisPoints.default(500),
  /** Number of leases that they release in any case. */
  lossFloor: z.number().int().min(1).max(65_535).default(16),
  /** Seconds for which a witness must not have heard of a node; below match's LOSS_SECONDS, since clocks differ. */
  lossSilenceSeconds: seconds.default(3),
  /** Seconds at its rate that opening a lease locks; at least `lockFloor`. */
  minSeconds: seconds.default(600),
  /** The least that opening a lease locks: the gas of one placement, and more. */
  lockFloor: amount.default(1_000_000_000_000_000n),
  /** Lowest price of a second. */
  rateFloor: amount.default(1n),
  /** Time in which a node must start a replica, including the download of its image. */
  startSeconds: seconds.default(3_600),
  /** Time after an order to stop or delete in which the rate is still due. */
  restSeconds: seconds.default(120),
  /** Days after a day in which its downtime is refunded. Earnings are held at least as long. */
  refundDays: z.number().int().min(1).max(2).default(2),
  /** Results a measurement needs, of distinct measurers. */
  quorum: z.number().int().min(1).max(8),
  /** Draws of a round; default: one less than twice the quorum, at most 8. */
  measureDraws: z.number().int().min(1).max(8).optional(),
  /** Whether every registered measurer can be drawn; otherwise operations admits them. */
  openMeasurers: z.boolean().default(false),
  /** Time between the request of a measurement and its opening, in which a block draws the measurers. */
  measureLeadSeconds: seconds.default(12),
  measureWindowSeconds: seconds,
  measureTtlSeconds: seconds,
  waves: waveTerms.prefault({}),
  /** Unix time at which epoch 1 begins; default: the deployment. */
  genesis: z.number().int().nonnegative().default(0),
  epochSeconds: seconds,
  /** Delay of a reward root, in which the guardian may disable it. */
  activationDelay: delay,
  /** The same for a root that a watcher attested; default: two hours, or the activation delay if that is shorter. */
  attestedDelay: delay.optional(),
  /** Time after an epoch's end in which evidence about it still counts; default: the heartbeat window. */
  settlementSeconds: delay.optional(),
  /** Terms of rewards that differ from the default ones (packages/rewards/defaultTerms.ts). */
  rewardTerms: rewardTerms.optional(),
  emissionPerEpoch: amount,
  /** Burned part of every payout to a node, in hundredths of a percent. */
  feeBasisPoints: z.number().int().min(0).max(1_000).default(100),
  /** The ids and epochs that previous contracts may use, so that none is used or paid twice; default: no previous contracts. */
  before: z
    .strictObject({
      ...idsBefore,
      /** The previous Pomc of the same Escrow, whose sums of receipts continue. */
      receiptsOf: address.default(zeroAddress),
    })
    .prefault({}),
  cap: amount,
  genesisSupply: amount,
});

const parametersSchema = givenSchema.transform((given) => ({
  ...given,
  attestedDelay: given.attestedDelay ?? Math.min(given.activationDelay, 7_200),
  settlementSeconds: given.settlementSeconds ?? given.heartbeatWindowSeconds,
}));

export type NgpuParameters = z.infer<typeof parametersSchema>;
export type NgpuParametersInput = z.input<typeof parametersSchema>;

/** The terms that rewards begin with. */
export function rewardTermsOf(p: NgpuParameters): RewardTerms {
  const changed = Object.entries(p.rewardTerms ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaultTerms(p), ...(Object.fromEntries(changed) as Partial<RewardTerms>) };
}

/** @throws FatalError `parameters_invalid`, with every error. */
export function parseParameters(value: unknown): NgpuParameters {
  const parsed = parametersSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FatalError(`The deployment parameters are not valid:\n${z.prettifyError(parsed.error)}`, {
    code: "parameters_invalid",
    hint: "See contracts/ignition/parameters.ts for their descriptions.",
  });
}
