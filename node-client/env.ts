import { parse, resolve } from "node:path";
import { commonEnv, envTypes, readEnv } from "@ngpu/runtime/env";
import { isAddress } from "viem";
import { z } from "zod";
import type { KeyPlace } from "./keys/place.ts";

const count = (max: number) => z.coerce.number().int().min(0).max(max).optional();
const region = () =>
  z
    .string()
    .regex(/^[A-Z]{2}$/, "is not an ISO 3166-1 alpha-2 code such as DE")
    .optional();
const folder = () =>
  z.string().transform((path, context) => {
    const full = resolve(path);
    if (full !== parse(full).root) return full;
    context.addIssue({ code: "custom", message: "must not be the root directory" });
    return z.NEVER;
  });
const passphraseFile = () =>
  z
    .string()
    .min(1)
    .transform((path) => resolve(path))
    .optional();
/** A mixed-case address has a checksum, which reveals typing errors: rewards sent to a wrong address are lost. */
const wallet = () =>
  envTypes
    .address()
    .refine((address) => isAddress(address), "has a wrong checksum: copy it again from the wallet")
    .optional();
const updateSeconds = () =>
  z.coerce
    .number()
    .min(0)
    .max(86_400)
    .default(600)
    .describe("Average seconds between checks for an update of the client; 0: no checks");
const api = {
  NGPU_API: envTypes.url().describe("URL of the market's API; everything else is read from its /v1/network"),
};

/** A signature of a wallet, which may be a contract. */
const signature = () =>
  z
    .custom<`0x${string}`>(
      (value) => typeof value === "string" && /^0x([0-9a-fA-F]{2}){65,2048}$/.test(value),
      "is not a signature in hexadecimal",
    )
    .optional();

/** Variables of the compute node. */
export const nodeVariables = {
  ...commonEnv,
  ...api,
  NODE_DIR: folder().default(resolve(".ngpu/node")).describe("Directory of the node's key and journal"),
  NODE_PASSPHRASE_FILE: passphraseFile().describe(
    "File of the passphrase of the node's key; default: the systemd credential passphrase, else node.passphrase in NODE_DIR",
  ),
  NODE_WALLET: wallet().describe(
    "Wallet that receives rewards once it accepts this node; default: the node's own address",
  ),
  NODE_WALLET_CONSENT: signature().describe(
    "The wallet's signature that accepts this node; default: the wallet accepts the node itself",
  ),
  NODE_HOST: z
    .string()
    .max(255)
    .optional()
    .describe(
      "Host name or address at which this machine's ports are reachable; default: the address match sees",
    ),
  NODE_REGION: region().describe("Country of the machine, two letters"),
  NODE_PRICE: z
    .string()
    .regex(/^\d{1,19}$/, "is not a whole number of token units")
    .transform(BigInt)
    .default(100_000_000_000_000n)
    .describe("Price of a replica, token units (1e-18) a second; the default is 0.36 tokens an hour"),
  NODE_DOCKER_SOCKET: z.string().default("/var/run/docker.sock").describe("Socket of the Docker engine"),
  NODE_STOP_CONTAINERS: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: stop and remove the node's containers when the client is stopped"),
  NODE_LIMIT_GPUS: count(255).describe("Maximum number of GPUs to offer; 0 joins without GPUs"),
  NODE_LIMIT_CPU_MILLI: count(2 ** 24 - 1).describe("Maximum CPU to offer, in thousandths of a core"),
  NODE_LIMIT_MEMORY_MIB: count(2 ** 24 - 1).describe("Maximum memory to offer, MiB"),
  NODE_LIMIT_DISK_GIB: count(65_535).describe("Maximum disk to offer, GiB"),
  NODE_PREFETCH_GIB: z.coerce
    .number()
    .int()
    .min(0)
    .default(10)
    .describe("Disk for prefetched images, GiB; 0 disables prefetching"),
  NODE_PROOF_MEMORY_MIB: count(2 ** 22).describe(
    "Most memory that a proof of the CPU fills, MiB; default: what the machine offers, less 2 GiB. 0: the CPU is not proven",
  ),
  NODE_PROOF_BESIDE_TENANTS: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: prove the CPU beside tenants, too, who feel it"),
  NODE_PROOF_DELAY_SECONDS: z.coerce
    .number()
    .min(0)
    .max(86_400)
    .default(60)
    .describe("Seconds after the client's start until it measures what it claims of its devices"),
  NODE_UPDATE_SECONDS: updateSeconds(),
  NODE_LIMIT_PORTS: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(64)
    .describe("Number of ports to offer"),
};

/** Variables of a measurement node. */
export const measurerVariables = {
  ...commonEnv,
  ...api,
  MEASURER_DIR: folder()
    .default(resolve(".ngpu/measurer"))
    .describe("Directory of the measurer's key and journal"),
  MEASURER_PASSPHRASE_FILE: passphraseFile().describe(
    "File of the passphrase of the measurer's key; default: the systemd credential passphrase, else measurer.passphrase in MEASURER_DIR",
  ),
  MEASURER_WALLET: wallet().describe("Wallet that receives rewards; default: the measurer's own address"),
  MEASURER_WALLET_CONSENT: signature().describe(
    "The wallet's signature that accepts this measurer, which names another wallet than its own address",
  ),
  MEASURER_PRIVATE_ADDRESSES: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: measure nodes at private addresses, for a market on one machine or one network"),
  MEASURER_UPDATE_SECONDS: updateSeconds(),
  MEASURER_REGION: region().describe("Country of the machine, two letters"),
};

export type NodeEnv = z.infer<z.ZodObject<typeof nodeVariables>>;
export type MeasurerEnv = z.infer<z.ZodObject<typeof measurerVariables>>;

/** Where the compute node's key is. */
export function nodeKeyPlace(env: Pick<NodeEnv, "NODE_DIR" | "NODE_PASSPHRASE_FILE">): KeyPlace {
  return { dir: env.NODE_DIR, name: "node", passphraseFile: env.NODE_PASSPHRASE_FILE };
}

/** Reads the variables of a compute node. @throws FatalError `env_invalid`, naming every invalid variable. */
export function readNodeEnv(): NodeEnv {
  return readEnv(nodeVariables);
}

/** Reads the variables of commands that only inspect this machine. They need no market. */
export function readLocalEnv(): Omit<NodeEnv, "NGPU_API"> {
  const { NGPU_API: _api, ...local } = nodeVariables;
  return readEnv(local);
}

/** Reads the variables for a report on this machine, with or without a market. */
export function readDoctorEnv(): Omit<NodeEnv, "NGPU_API"> & { NGPU_API?: string | undefined } {
  return readEnv({ ...nodeVariables, NGPU_API: api.NGPU_API.optional() });
}

/** Reads the variables of a measurement node. @throws FatalError `env_invalid`, naming every invalid variable. */
export function readMeasurerEnv(): MeasurerEnv {
  return readEnv(measurerVariables);
}
