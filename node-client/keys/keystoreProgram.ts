// Encrypts or decrypts a keystore: reads one request as JSON from standard input, and writes the result to standard output. It runs as
// a process of its own, so that the memory of the key derivation is free once it ends.
import { scryptSync } from "node:crypto";
import { text } from "node:stream/consumers";
import { scrypt } from "ethers/crypto";
import { computeAddress } from "ethers/transaction";
import { decryptKeystoreJson, encryptKeystoreJson } from "ethers/wallet";
import type { KeystoreRequest, KeystoreResult } from "./keystore.ts";

// Node's own derivation takes a tenth of the time of the one in JavaScript.
const maxmem = 2 ** 30;
scrypt.register(
  async (password, salt, N, r, p, length) =>
    `0x${scryptSync(password, salt, length, { N, r, p, maxmem }).toString("hex")}`,
);

async function carryOut(request: KeystoreRequest): Promise<string> {
  const passphrase = Buffer.from(request.passphrase);
  if (request.action === "decrypt")
    return (await decryptKeystoreJson(request.keystore, passphrase)).privateKey;
  const { privateKey, rounds } = request;
  const account = { address: computeAddress(privateKey), privateKey };
  return encryptKeystoreJson(account, passphrase, { scrypt: { N: rounds } });
}

let result: KeystoreResult;
try {
  result = { text: await carryOut(JSON.parse(await text(process.stdin))) };
} catch (error) {
  result = { failure: (error as { shortMessage?: string }).shortMessage ?? String(error) };
}
process.stdout.write(JSON.stringify(result));
