import { type LookupAddress, lookup } from "node:dns";
import { Resolver } from "node:dns/promises";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { InputError, messageOf } from "./errors.ts";

// The special-purpose registries of IANA (RFC 6890): every range that is not globally reachable, multicast, and the ranges of IPv6
// that embed an IPv4 address.
const special4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // Azure's machines reach their host's services at this address alone.
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const;
// Within 2000::/3, the global unicast range; everything outside it is special.
const special6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["2620:4f:8000::", 48],
  ["3fff::", 20],
] as const;

/** The IPv4 ranges that are not globally reachable, as `address/bits`. */
export const specialRanges4: readonly string[] = special4.map(([address, bits]) => `${address}/${bits}`);

const special = new BlockList();
for (const [address, bits] of special4) special.addSubnet(address, bits, "ipv4");
for (const [address, bits] of special6) special.addSubnet(address, bits, "ipv6");
const unicast6 = new BlockList();
unicast6.addSubnet("2000::", 3, "ipv6");

/** Whether text is the address of a machine on the public internet. An IPv4 address written as IPv6 is not. */
export function isPublicAddress(text: string): boolean {
  const family = isIP(text);
  if (family === 4) return !special.check(text, "ipv4");
  return family === 6 && unicast6.check(text, "ipv6") && !special.check(text, "ipv6");
}

/** Resolves a name to all its addresses. */
export type Resolve = (host: string) => Promise<string[]>;

/** @deadline A DNS server, twice. The connection to the name fails. */
const dnsTimeout = 2_000;

/** Asks DNS servers only. Unlike `lookup` it takes no thread, so a name whose servers do not answer delays nothing else. */
const resolveByDns: Resolve = async (host) => {
  const resolver = new Resolver({ timeout: dnsTimeout, tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const [first] = found;
  if (addresses.length === 0 && first.status === "rejected") throw first.reason;
  return addresses;
};

/**
 * Checks that a host is public: a public address, or a name of which every address is public.
 *
 * @throws InputError `host_not_public` or `host_unresolved`.
 */
export async function requirePublicHost(host: string, resolve: Resolve = resolveByDns): Promise<void> {
  const addresses = isIP(host) === 0 ? await addressesOf(host, resolve) : [host];
  if (addresses.length === 0) throw unresolved(host, "it has no address");
  const other = addresses.find((address) => !isPublicAddress(address));
  if (other !== undefined) throw notPublic(host, other);
}

async function addressesOf(host: string, resolve: Resolve): Promise<string[]> {
  try {
    return await resolve(host);
  } catch (error) {
    throw unresolved(host, messageOf(error), error);
  }
}

function unresolved(host: string, why: string, cause?: unknown): InputError {
  return new InputError(`The name ${host} cannot be resolved: ${why}.`, {
    code: "host_unresolved",
    hint: "Use a name with a public A or AAAA record, or the address itself.",
    cause,
  });
}

function notPublic(host: string, address: string): InputError {
  return new InputError(
    host === address ? `${address} is not a public address.` : `${host} is ${address}, which is not public.`,
    {
      code: "host_not_public",
      hint: "Use the address at which the machine is reached from the internet.",
      details: { host, address },
    },
  );
}

/**
 * A `lookup` for connections that fails unless every address of the name is public. The connection uses the addresses that were
 * checked, so a name cannot change in between. Node does not call it for a host that is an address: check that first.
 */
export const publicLookup: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    if (error !== null) return callback(error, "");
    const other = found.find(({ address }) => !isPublicAddress(address));
    const [first] = found as [LookupAddress, ...LookupAddress[]];
    if (other !== undefined) return callback(notPublic(host, other.address), "");
    if (options.all === true) callback(null, found);
    else callback(null, first.address, first.family);
  });
};

/**
 * A `lookup` like `publicLookup` that asks DNS servers only. Names whose servers do not answer delay no other name, so it suits
 * hosts that strangers choose.
 */
export const publicDnsLookup: LookupFunction = (host, options, callback) => {
  addressesOf(host, resolveByDns).then(
    (found) => {
      const other = found.find((address) => !isPublicAddress(address));
      const [first] = found;
      if (other !== undefined) return callback(notPublic(host, other), "");
      if (first === undefined) return callback(unresolved(host, "it has no address"), "");
      if (options.all === true)
        callback(
          null,
          found.map((address) => ({ address, family: isIP(address) })),
        );
      else callback(null, first, isIP(first));
    },
    (error: NodeJS.ErrnoException) => callback(error, ""),
  );
};
