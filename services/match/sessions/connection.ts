import { InputError } from "@ngpu/runtime/errors";
import type { WebSocket } from "ws";
import { createWheel } from "./wheel.ts";

/** What one peer may ask of us. */
export const limits = {
  maxBytes: 256 * 1024,
  /** Messages a second, and how many may come at once. */
  rate: 50,
  burst: 300,
  helloMs: 10_000,
  /** After so long without a word a peer is pinged, in ms. */
  pingMs: 4_500,
  /** Without a word for so long the peer is gone, in ms. */
  silenceMs: 6_500,
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

/** One connection as the watch over it sees it. */
export type Line = {
  ws: WebSocket;
  /** When something was last heard, in ms. */
  heardAt: number;
  /** It was cut because it no longer answered. */
  silent: boolean;
};

export type Lines = {
  /** Watches a connection until it is closed: pings it when it is quiet, and cuts it when there is no answer. */
  watch(ws: WebSocket): Line;
  stop(): void;
};

/** Watches any number of connections with one timer. */
export function watchLines(): Lines {
  const tickMs = 250;
  const wheel = createWheel<Line>({ tickMs, ticks: 64, now: Date.now() }, (line, now) => {
    const { ws } = line;
    if (ws.readyState === ws.CLOSED) return;
    const quiet = now - line.heardAt;
    // What we do not read we cannot hear.
    if (ws.isPaused || quiet < limits.pingMs) {
      wheel.add(line, ws.isPaused ? tickMs : limits.pingMs - quiet);
    } else if (quiet < limits.silenceMs) {
      if (ws.readyState === ws.OPEN) ws.ping();
      wheel.add(line, limits.silenceMs - quiet);
    } else {
      line.silent = true;
      ws.terminate();
    }
  });
  const timer = setInterval(() => wheel.turn(Date.now()), tickMs);
  timer.unref();
  return {
    watch(ws) {
      const line: Line = { ws, heardAt: Date.now(), silent: false };
      const hear = () => {
        line.heardAt = Date.now();
      };
      ws.on("message", hear);
      ws.on("pong", hear);
      ws.on("ping", hear);
      wheel.add(line, limits.pingMs);
      return line;
    },
    stop: () => clearInterval(timer),
  };
}
