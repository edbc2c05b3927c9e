import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { envTypes, readEnv } from "@ngpu/runtime/env";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { Wallet } from "ethers";
import type { Hex } from "viem";
import { z } from "zod";

/** Variables of the deployment: the key in plain text, or an encrypted keystore (ethers' JSON) and its password. */
export const deployVariables = {
  DEPLOYER_KEY: envTypes
    .privateKey()
    .optional()
    .describe("Private key of the account that deploys the contracts and pays the gas"),
  DEPLOYER_KEYSTORE: z
    .string()
    .optional()
    .describe("Encrypted keystore (JSON) of that account, instead of its key"),
  DEPLOYER_PASSWORD_FILE: z.string().optional().describe("File with the keystore's password"),
  DEPLOYER_PASSWORD: z
    .string()
    .optional()
    .describe("The password itself; prompted for on a terminal if unset"),
};

/**
 * The deployer's private key.
 *
 * @throws FatalError `deployer_key_missing`, `keystore_password_missing`, `keystore_unreadable` or `keystore_locked`.
 */
export async function readDeployerKey(): Promise<Hex> {
  const env = readEnv(deployVariables);
  if (env.DEPLOYER_KEY !== undefined) return env.DEPLOYER_KEY;
  if (env.DEPLOYER_KEYSTORE === undefined) {
    throw new FatalError("No deployer account is configured.", {
      code: "deployer_key_missing",
      hint: "Set DEPLOYER_KEYSTORE and DEPLOYER_PASSWORD_FILE, or DEPLOYER_KEY.",
    });
  }
  const keystore = readText(env.DEPLOYER_KEYSTORE);
  const password =
    env.DEPLOYER_PASSWORD_FILE !== undefined
      ? readText(env.DEPLOYER_PASSWORD_FILE).replace(/\r?\n$/, "")
      : (env.DEPLOYER_PASSWORD ?? (await promptPassword(env.DEPLOYER_KEYSTORE)));
  try {
    const wallet = await Wallet.fromEncryptedJson(keystore, password);
    return wallet.privateKey as Hex;
  } catch (error) {
    throw new FatalError(`The keystore ${env.DEPLOYER_KEYSTORE} cannot be opened: ${messageOf(error)}`, {
      code: "keystore_locked",
      hint: "Check that the password file holds this keystore's password.",
      cause: error,
    });
  }
}

/** Prompts on the terminal without echoing the input. */
async function promptPassword(keystore: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new FatalError(`The password of ${keystore} is missing.`, {
      code: "keystore_password_missing",
      hint: "Set DEPLOYER_PASSWORD_FILE, or run the command on a terminal.",
    });
  }
  process.stderr.write(`Password of ${keystore}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new FatalError(`${path} cannot be read: ${messageOf(error)}`, {
      code: "keystore_unreadable",
      hint: "Check the path, and that this user can read the file.",
      cause: error,
    });
  }
}
