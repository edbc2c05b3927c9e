import type { webcrypto } from "node:crypto";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { type Hex, toHex } from "viem";
import { z } from "zod";
import type { SecretRequest } from "./secrets.ts";

/** Hybrid public key encryption (RFC 9180): X25519, HKDF-SHA256, AES-256-GCM. */
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

const encapsulated = 32;

/** Values by name, in base64: a file may have any bytes. */
const contents = z.record(z.string(), z.base64());

/** A key pair for one request. The private key never leaves the process. */
export type PrivateRequestKey = webcrypto.CryptoKey;
export type RequestKey = { publicKey: Hex; privateKey: PrivateRequestKey };

export async function createRequestKey(): Promise<RequestKey> {
  const pair = await suite.kem.generateKeyPair();
  return {
    publicKey: toHex(new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey))),
    privateKey: pair.privateKey,
  };
}

/** Binds a sealed message to the lease and the key that it is for. */
function infoOf({ workspaceId, replica, lease, fence, key }: SecretRequest): Uint8Array<ArrayBuffer> {
  const text = `ngpu secrets 1 ${workspaceId}/${replica}/${lease} ${fence.toLowerCase()} ${key.toLowerCase()}`;
  return new Uint8Array(Buffer.from(text));
}

/**
 * Seals values for the key of a request: nobody else can open them.
 *
 * @throws Error when the key is no X25519 public key.
 */
export async function sealSecrets(
  request: SecretRequest,
  values: ReadonlyMap<string, Uint8Array>,
): Promise<Buffer> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(bytesOf(request.key));
  const entries = [...values].map(([name, value]) => [name, Buffer.from(value).toString("base64")]);
  const plain = new Uint8Array(Buffer.from(JSON.stringify(Object.fromEntries(entries))));
  const { enc, ct } = await suite.seal({ recipientPublicKey, info: infoOf(request) }, plain);
  return Buffer.concat([Buffer.from(enc), Buffer.from(ct)]);
}

/**
 * Opens sealed values with the private key of their request.
 *
 * @throws Error when they were sealed for another request, or changed on the way.
 */
export async function openSecrets(
  request: SecretRequest,
  privateKey: PrivateRequestKey,
  sealed: Uint8Array,
): Promise<Map<string, Buffer>> {
  const enc = new Uint8Array(sealed.subarray(0, encapsulated));
  const ct = new Uint8Array(sealed.subarray(encapsulated));
  const plain = await suite.open({ recipientKey: privateKey, enc, info: infoOf(request) }, ct);
  const parsed = contents.parse(JSON.parse(Buffer.from(plain).toString()));
  return new Map(Object.entries(parsed).map(([name, value]) => [name, Buffer.from(value, "base64")]));
}

const bytesOf = (hex: Hex): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(hex.slice(2), "hex"));
