import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { z } from "zod";

/** All signers on this machine. Services send transactions; operator, measurer, partner and guest own wallets. */
const keyNames = [
  "deployer",
  "treasury",
  "guardian",
  "match",
  "acknowledger",
  "committer",
  "keeper",
  "witness",
  "cosigner",
  "measureKeeper",
  "workspace",
  "dispense",
  "pomc",
  "receiptsPoster",
  "api",
  "operator",
  "measurer",
  "partner",
  "faucet",
  "guest",
] as const;

export type KeyName = (typeof keyNames)[number];
export type Keys = Record<KeyName, { key: Hex; account: PrivateKeyAccount }>;

const key = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((value) => value as Hex);
const storedSchema = z.object({
  ...(Object.fromEntries(keyNames.map((keyName) => [keyName, key.optional()])) as Record<
    KeyName,
    z.ZodOptional<typeof key>
  >),
  databaseSecret: z.string().min(32).optional(),
  webhookKey: z.string().min(32).optional(),
  secretKey: z.string().min(32).optional(),
  // Names that keys had before.
  receipts: key.optional(),
  taskReceipts: key.optional(),
});

/**
 * The keys of this machine's market, and the secrets that its database passwords and the secrets of webhooks are derived from, and by
 * which the secrets of workspaces are encrypted. The first start generates them; `<stateDir>/keys.json` (0600) keeps them.
 *
 * @param deployerKey Used instead of a random one, for a chain that is not embedded.
 * @throws FatalError `market_keys_invalid`
 */
export function loadKeys(
  stateDir: string,
  deployerKey: Hex | undefined,
): { keys: Keys; databaseSecret: string; webhookKey: string; secretKey: string } {
  const path = join(stateDir, "keys.json");
  const stored = readStored(path);
  const made = Object.fromEntries(
    keyNames.map((keyName) => [keyName, stored[keyName] ?? generatePrivateKey()]),
  ) as Record<KeyName, Hex>;
  const databaseSecret = stored.databaseSecret ?? randomBytes(32).toString("hex");
  const webhookKey = stored.webhookKey ?? randomBytes(32).toString("hex");
  const secretKey = stored.secretKey ?? randomBytes(32).toString("hex");
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  // Written under another name and then renamed: a truncated file would lose the assets of these keys.
  const content = { ...made, databaseSecret, webhookKey, secretKey };
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  const used = {
    ...made,
    ...(deployerKey === undefined ? {} : { deployer: deployerKey, treasury: deployerKey }),
  };
  const keys = Object.fromEntries(
    keyNames.map((keyName) => [keyName, { key: used[keyName], account: privateKeyToAccount(used[keyName]) }]),
  ) as Keys;
  return { keys, databaseSecret, webhookKey, secretKey };
}

function readStored(path: string): z.infer<typeof storedSchema> {
  if (!existsSync(path)) return {};
  try {
    const { receipts, taskReceipts, ...stored } = storedSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    return {
      ...stored,
      acknowledger: stored.acknowledger ?? receipts,
      receiptsPoster: stored.receiptsPoster ?? taskReceipts,
    };
  } catch (cause) {
    throw new FatalError(`${path} is not a valid key file of a market.`, {
      code: "market_keys_invalid",
      hint: "Restore the file, or move it away to create new keys. Assets of the old keys are not transferred.",
      cause,
    });
  }
}
