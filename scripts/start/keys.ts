import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Hex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";

/** Everyone who signs on this machine. Services send transactions; operator, measurer and partner own wallets. */
const holders = [
  "deployer",
  "treasury",
  "guardian",
  "match",
  "workspace",
  "dispense",
  "pomc",
  "api",
  "operator",
  "measurer",
  "partner",
] as const;

export type Holder = (typeof holders)[number];
export type Keys = Record<Holder, { key: Hex; account: PrivateKeyAccount }>;

/**
 * The keys of this machine's market, made at random the first time and kept in `<stateDir>/keys.json` (0600).
 *
 * @param deployerKey Used instead of a random one, for a chain that is not embedded.
 */
export function loadKeys(stateDir: string, deployerKey: Hex | undefined): Keys {
  const path = join(stateDir, "keys.json");
  const stored = existsSync(path)
    ? (JSON.parse(readFileSync(path, "utf8")) as Partial<Record<Holder, Hex>>)
    : {};
  const keys = Object.fromEntries(
    holders.map((holder) => [holder, stored[holder] ?? generatePrivateKey()]),
  ) as Record<Holder, Hex>;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  const used = {
    ...keys,
    ...(deployerKey === undefined ? {} : { deployer: deployerKey, treasury: deployerKey }),
  };
  return Object.fromEntries(
    holders.map((holder) => [holder, { key: used[holder], account: privateKeyToAccount(used[holder]) }]),
  ) as Keys;
}
