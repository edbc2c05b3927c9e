import { createHmac } from "node:crypto";
import type { Socket } from "node:net";

/** What proves that an answer comes from the program that has the secret, over this connection. */
export type Connections = {
  /** Answers a challenge, whose nonce is the caller's own. The connection's next request is bound to it. */
  challenge: (socket: Socket, nonce: string) => string;
  /** The key of the connection's next answer, once; undefined where no challenge came before it. */
  take: (socket: Socket) => Buffer | undefined;
};

/**
 * Binds answers to connections. The secret is never sent, and each key follows from a fresh nonce: another server at the
 * port, or one that this connection is split to, cannot compute it.
 */
export function createConnections(secret: string): Connections {
  const keys = new WeakMap<Socket, Buffer>();
  return {
    challenge: (socket, nonce) => {
      // A nonce has no space, so no challenge gives a key away.
      keys.set(socket, createHmac("sha256", secret).update(`connection ${nonce}`).digest());
      return createHmac("sha256", secret).update(nonce).digest("hex");
    },
    take: (socket) => {
      const key = keys.get(socket);
      keys.delete(socket);
      return key;
    },
  };
}

/** The code of a JSON answer, sent as `x-probe-code`. */
export function codeOf(key: Buffer, body: string): string {
  return createHmac("sha256", key).update(`answer ${body}`).digest("hex");
}

/** The seed of a download's bytes, which the caller compares. */
export function downloadSeed(key: Buffer): Buffer {
  return createHmac("sha256", key).update("download").digest();
}
