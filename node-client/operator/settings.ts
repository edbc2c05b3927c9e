import { InputError } from "@ngpu/runtime/errors";
import { getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { type Journal, readFact, writeFact } from "../journal/open.ts";
import type { Hardware } from "../probe/hardware.ts";

const fact = "operator_settings";
const limit = (most: number) => z.int().min(0).max(most).nullish();

/** What an operator may change about the offer. `null` returns to the value of the environment. */
export const offerChange = z
  .strictObject({
    /** Token units (1e-18) a second, as a decimal string. */
    pricePerSecond: z
      .string()
      .regex(/^\d{1,19}$/, "is not a whole number of token units (1e-18) a second")
      .nullish(),
    gpus: limit(255),
    cpuMilli: limit(2 ** 24 - 1),
    memoryMib: limit(2 ** 24 - 1),
    diskGib: limit(65_535),
    ports: limit(65_535),
  })
  .meta({ id: "OfferChange" });

export type OfferChange = z.infer<typeof offerChange>;

const stored = z.object({
  drained: z.boolean().default(false),
  offer: offerChange.default({}),
  /** The wallet that receives the earnings; undefined: the one of the environment. */
  wallet: z.custom<Hex>((value) => typeof value === "string" && isAddress(value)).optional(),
});

/** The operator's decisions, which outlast restarts of the client. */
export type OperatorSettings = z.infer<typeof stored>;

/** Reads the operator's settings. */
export function readSettings(journal: Journal): OperatorSettings {
  const text = readFact(journal, fact);
  return stored.parse(text === undefined ? {} : JSON.parse(text));
}

/** Stores whether the node accepts new leases. */
export function setDrained(journal: Journal, drained: boolean): OperatorSettings {
  return write(journal, { ...readSettings(journal), drained });
}

/**
 * Changes the offer. Fields that are absent keep their value.
 *
 * @throws InputError `offer_invalid`, naming each field.
 */
export function changeOffer(journal: Journal, change: unknown): OperatorSettings {
  const parsed = offerChange.safeParse(change);
  if (!parsed.success) {
    throw new InputError(`The offer is not valid:\n${z.prettifyError(parsed.error)}`, {
      code: "offer_invalid",
      hint: "Correct these values: ngpu-node offer set --help describes them.",
    });
  }
  const settings = readSettings(journal);
  return write(journal, { ...settings, offer: { ...settings.offer, ...parsed.data } });
}

/**
 * Asks for another wallet, as long as none is bound to the node.
 *
 * @throws InputError `node_wallet_invalid`.
 */
export function changeWallet(journal: Journal, wallet: unknown): OperatorSettings {
  if (typeof wallet === "string" && isAddress(wallet))
    return write(journal, { ...readSettings(journal), wallet: getAddress(wallet) });
  throw new InputError("The wallet is not an address, or its checksum is wrong.", {
    code: "node_wallet_invalid",
    hint: "Copy the address from the wallet: 0x and 40 hexadecimal digits.",
  });
}

/** The wallet that the node asks for. A consent in the environment belongs to the environment's wallet alone. */
export function walletOf(
  { wallet }: OperatorSettings,
  env: { NODE_WALLET?: Hex | undefined; NODE_WALLET_CONSENT?: Hex | undefined },
): { wallet: Hex | undefined; walletConsent: Hex | undefined } {
  const asked = wallet ?? env.NODE_WALLET;
  const isOfEnvironment = asked !== undefined && asked.toLowerCase() === env.NODE_WALLET?.toLowerCase();
  return { wallet: asked, walletConsent: isOfEnvironment ? env.NODE_WALLET_CONSENT : undefined };
}

function write(journal: Journal, settings: OperatorSettings): OperatorSettings {
  writeFact(journal, fact, JSON.stringify(settings));
  return settings;
}

/** The hardware with the operator's limits. The first GPUs are offered. */
export function limitHardware<Part extends Pick<Hardware, (typeof limits)[number] | "gpus">>(
  hardware: Part,
  { offer }: OperatorSettings,
): Part {
  const limited = { ...hardware, gpus: hardware.gpus.slice(0, offer.gpus ?? hardware.gpus.length) };
  for (const name of limits) limited[name] = Math.min(hardware[name], offer[name] ?? hardware[name]);
  return limited;
}

const limits = ["cpuMilli", "memoryMib", "diskGib", "ports"] as const;

/** The price: the operator's, or the one of the environment. @returns Token units (1e-18) a second. */
export function priceOf({ offer }: OperatorSettings, ofEnvironment: bigint): bigint {
  return offer.pricePerSecond == null ? ofEnvironment : BigInt(offer.pricePerSecond);
}
