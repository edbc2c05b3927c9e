import { existsSync, readFileSync } from "node:fs";
import { FatalError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { requirePrivate } from "../shared/profiles.ts";
import type { Settings } from "../shared/settings.ts";

/** The wallet of an option, else of the profile. @throws FatalError `wallet_not_configured`, and those of `readWallet`. */
export function walletOf(settings: Settings, file: string | undefined): PrivateKeyAccount {
  const path = file ?? settings.profile?.walletFile;
  if (path !== undefined) return readWallet(path);
  throw new FatalError("No wallet is set.", {
    code: "wallet_not_configured",
    hint: "Pass --wallet, set NGPU_WALLET, or run ngpu login --wallet: a file with the wallet's private key.",
  });
}

/** Reads a private key. @throws FatalError `wallet_not_found`, `wallet_exposed` or `wallet_invalid`. */
export function readWallet(path: string): PrivateKeyAccount {
  if (!existsSync(path)) {
    throw new FatalError(`The wallet's file ${path} does not exist.`, {
      code: "wallet_not_found",
      hint: "Name a file with the wallet's private key, 0x and 64 hexadecimal digits.",
    });
  }
  requirePrivate(path, "It holds a private key.", "wallet_exposed");
  const key = readFileSync(path, "utf8").trim();
  if (/^0x[0-9a-fA-F]{64}$/.test(key)) return privateKeyToAccount(key as Hex);
  throw new FatalError(`${path} does not hold a private key.`, {
    code: "wallet_invalid",
    hint: "It must hold 0x and 64 hexadecimal digits.",
  });
}
