import { type AbiName, abis } from "@ngpu/contracts-sdk/abis";
import { type AbiEvent, type Address, getAbiItem, type Hex, numberToHex, pad, toEventSelector } from "viem";
import type { EncodedLog } from "../../support/emitter.ts";

type Values = Record<string, bigint | number | boolean | Hex>;
type Shape = { selector: Hex; indexed: string[]; open: string[] };

/** The address that emits the events of all contracts. Their selectors distinguish them. */
export const emitter: Address = "0x00000000000000000000000000000000c0de0001";

/** The events of the benchmark, by contract: those of a market with running leases. */
export const used = {
  Escrow: ["Authorized", "Deposited", "LeaseOpened", "LeaseClockSet", "Settled"],
  DockerContract: ["Assigned", "StateChanged"],
  Progress: ["ProgressReported"],
  Pomc: ["Claimed"],
} as const satisfies Partial<Record<AbiName, readonly string[]>>;

const shapes = new Map<string, Shape>();
const leases = 500;
const authorizations = 20;

/**
 * The first `count` events of the market: authorizations, then new leases, then events of running leases. They are the same for
 * every indexer and every run.
 */
export function* marketEvents(count: number): Generator<EncodedLog> {
  const random = randomFrom(20_26);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const claimed = new Map<number, bigint>();
  for (let index = 0; index < count; index++) {
    if (index < authorizations) yield authorized(index + 1);
    else if (index < authorizations + 2 * leases) yield opening(index - authorizations);
    else yield running(index, upTo, claimed);
  }
}

function authorized(id: number): EncodedLog {
  return encode("Escrow", "Authorized", {
    authorizationId: id,
    owner: account(id),
    delegate: account(1_000),
    maxRate: 10n ** 18n,
    daily: 10n ** 24n,
    total: 10n ** 27n,
    scope: word(0n),
    expiry: 2 ** 40 - 1,
  });
}

function opening(place: number): EncodedLog {
  const lease = leaseOf(place >> 1);
  return place % 2 === 0
    ? encode("Escrow", "LeaseOpened", {
        ...lease,
        authorizationId: 1 + ((place >> 1) % authorizations),
        rate: 10n ** 15n,
        lock: 10n ** 17n,
      })
    : encode("DockerContract", "Assigned", {
        ...lease,
        fence: pad(numberToHex(place), { size: 8 }),
        pricePerSecond: 10n ** 15n,
        start: true,
        decidedAt: 1n,
        position: 0,
        excluded: "0x",
      });
}

function running(index: number, upTo: (limit: number) => number, claimed: Map<number, bigint>): EncodedLog {
  const lease = leaseOf(upTo(leases));
  const at = 1_800_000_000 + index;
  const choice = upTo(100);
  if (choice < 30) {
    const amount = BigInt(upTo(1e9)) * 10n ** 12n;
    return encode("Escrow", "Settled", { ...lease, amount, fromLock: 0n, settledAt: at });
  }
  if (choice < 55) {
    const detail = word(BigInt(upTo(1e9)) ** 4n);
    return encode("DockerContract", "StateChanged", {
      ...lease,
      state: 1 + upTo(4),
      sequence: index % 2 ** 24,
      detail,
    });
  }
  if (choice < 70) return encode("Progress", "ProgressReported", { ...lease, milestone: 1 + upTo(4) });
  if (choice < 85) return encode("Escrow", "LeaseClockSet", { ...lease, clock: 1 + upTo(7), since: at });
  const person = upTo(200);
  const amount = BigInt(1 + upTo(1e9)) * 10n ** 15n;
  if (choice < 90) {
    return encode("Escrow", "Deposited", { account: account(person), from: account(person), amount });
  }
  const cumulative = (claimed.get(person) ?? 0n) + amount;
  claimed.set(person, cumulative);
  return encode("Pomc", "Claimed", { account: account(person), cumulative });
}

function leaseOf(number: number) {
  return { workspaceId: 1 + Math.floor(number / 2), replica: number % 2, lease: 1, nodeId: 1 + number };
}

function encode(contract: keyof typeof used, event: string, values: Values): EncodedLog {
  const { selector, indexed, open } = shapeOf(contract, event);
  const wordOf = (name: string) => word(values[name] as Values[string]);
  return {
    topics: [selector, ...indexed.map(wordOf)],
    data: `0x${open.map((name) => wordOf(name).slice(2)).join("")}`,
  };
}

function shapeOf(contract: AbiName, event: string): Shape {
  const known = shapes.get(event);
  if (known !== undefined) return known;
  const abi = getAbiItem({ abi: abis[contract], name: event as never }) as unknown as AbiEvent;
  const names = (indexed: boolean) =>
    abi.inputs.filter((input) => (input.indexed === true) === indexed).map(({ name }) => name as string);
  const shape = { selector: toEventSelector(abi), indexed: names(true), open: names(false) };
  shapes.set(event, shape);
  return shape;
}

/** The ABI word of a value. Numbers and addresses are padded on the left, shorter fixed bytes on the right. */
function word(value: Values[string]): Hex {
  if (typeof value === "string") return pad(value, { size: 32, dir: value.length < 42 ? "right" : "left" });
  return `0x${BigInt(value).toString(16).padStart(64, "0")}`;
}

function account(number: number): Hex {
  return pad(numberToHex(0xacc0000 + number), { size: 20 });
}

/** Random numbers from 0 to below 1 by a seeded 32-bit xorshift. */
function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
