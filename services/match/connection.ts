import type { WebSocket } from "ws";
import { InputError } from "../shared/errors.ts";

/** What one peer may ask of us. */
export const limits = {
  maxBytes: 256 * 1024,
  /** Messages a second, and how many may come at once. */
  rate: 50,
  burst: 300,
  helloMs: 10_000,
  pingMs: 2_000,
  /** Without a word for so long the peer is gone, in ms. */
  silenceMs: 5_000,
};

/** Messages that wait to be handled before we stop reading, and how few make us read on. */
const waitingMost = 32;
const waitingFew = 8;

/**
 * Hands over a socket's messages one after the other, in the order they came; a peer that is faster than we are is not
 * read from for a while, and one that exceeds its rate is a fault.
 */
export function readInOrder(
  ws: WebSocket,
  handle: (text: string) => Promise<void>,
  onFault: (error: unknown) => void,
): void {
  let tokens = limits.burst;
  let refilled = Date.now();
  let chain = Promise.resolve();
  let waiting = 0;
  ws.on("message", (data) => {
    const now = Date.now();
    tokens = Math.min(limits.burst, tokens + ((now - refilled) / 1_000) * limits.rate) - 1;
    refilled = now;
    if (tokens < 0) {
      onFault(new InputError(`More than ${limits.rate} messages a second.`, { code: "rate_exceeded" }));
      return;
    }
    waiting += 1;
    if (waiting > waitingMost) ws.pause();
    chain = chain
      .then(() => (ws.readyState === ws.OPEN ? handle(String(data)) : undefined))
      .catch(onFault)
      .finally(() => {
        waiting -= 1;
        if (waiting < waitingFew && ws.isPaused) ws.resume();
      });
  });
}

/** Pings the peer, tells of each sign of life, and cuts the connection when there is none. */
export function watchLife(ws: WebSocket, onLife: () => void): void {
  let heard = Date.now();
  const alive = () => {
    heard = Date.now();
    onLife();
  };
  ws.on("message", alive);
  ws.on("pong", alive);
  const pinger = setInterval(() => {
    if (Date.now() - heard > limits.silenceMs && !ws.isPaused) return ws.terminate();
    if (ws.readyState === ws.OPEN) ws.ping();
  }, limits.pingMs);
  ws.on("close", () => clearInterval(pinger));
}
