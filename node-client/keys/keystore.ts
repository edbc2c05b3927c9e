import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { isPrivateKey } from "./privateKey.ts";

/** What the keystore's program reads; `rounds` is scrypt's N, a power of two. */
export type KeystoreRequest =
  | { action: "encrypt"; privateKey: Hex; passphrase: string; rounds: number }
  | { action: "decrypt"; keystore: string; passphrase: string };

/** What it writes: the keystore or the private key, or why it has none. */
export type KeystoreResult = { text: string } | { failure: string };

/** For a passphrase that a person chose: guesses are expensive. As in ethers and geth. */
export const guessableRounds = 2 ** 17;
/** For 256 random bits, which cannot be guessed. */
export const randomRounds = 2 ** 12;

/** @deadline The derivation of a keystore's key, on a slow machine. The command, or the start of the client, fails. */
const deadline = 60_000;

/** Encrypts a private key as a version 3 keystore. @throws FatalError `node_key_unusable`. */
export function encryptKey(privateKey: Hex, passphrase: string, rounds: number): Promise<string> {
  return carryOut({ action: "encrypt", privateKey, passphrase, rounds });
}

/** Decrypts a version 3 keystore. @throws FatalError `node_key_unusable`. */
export async function decryptKey(keystore: string, passphrase: string): Promise<Hex> {
  const privateKey = await carryOut({ action: "decrypt", keystore, passphrase });
  if (!isPrivateKey(privateKey)) throw unusable("it holds no private key");
  return privateKey;
}

/** Runs the program in a process of its own. The key passes through pipes alone. */
async function carryOut(request: KeystoreRequest): Promise<string> {
  const child = spawn(process.execPath, [program()], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
    timeout: deadline,
    killSignal: "SIGKILL",
  });
  const exit = once(child, "exit");
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(request));
  const output = await text(child.stdout);
  const [code, signal] = await exit.catch((error: unknown) => [messageOf(error)]);
  let result: KeystoreResult;
  try {
    result = JSON.parse(output);
  } catch (cause) {
    throw unusable(`its program ended with ${signal ?? code}`, cause);
  }
  if ("failure" in result) throw unusable(result.failure);
  return result.text;
}

/** In the bundled client, the program is a file beside it. */
function program(): string {
  const isBundled = import.meta.filename.endsWith(".mjs");
  return join(import.meta.dirname, isBundled ? "keystore.mjs" : "keystoreProgram.ts");
}

function unusable(why: string, cause?: unknown): FatalError {
  return new FatalError(`The keystore cannot be used: ${why}.`, {
    code: "node_key_unusable",
    hint: "Check that the passphrase belongs to this keystore, or restore both from a backup.",
    cause,
  });
}
