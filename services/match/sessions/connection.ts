import { InputError } from "@ngpu/runtime/errors";
import type { WebSocket } from "ws";
import { createTimingWheel } from "./timingWheel.ts";

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
  idleTimeoutMs: 6_500,
};

/** Messages that wait to be handled before we stop reading, and how few make us read on. */
const pauseAbove = 32;
const resumeBelow = 8;

/**
 * Hands over a socket's messages one after the other, in the order they came; a peer that is faster than we are is not
 * read from for a while, and one that exceeds its rate is a fault.
 */
export function readInOrder(
  ws: WebSocket,
  handle: (text: string) => Promise<void>,
  onError: (error: unknown) => void,
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
      onError(new InputError(`More than ${limits.rate} messages a second.`, { code: "rate_exceeded" }));
      return;
    }
    waiting += 1;
    if (waiting > pauseAbove) ws.pause();
    chain = chain
      .then(() => (ws.readyState === ws.OPEN ? handle(String(data)) : undefined))
      .catch(onError)
      .finally(() => {
        waiting -= 1;
        if (waiting < resumeBelow && ws.isPaused) ws.resume();
      });
  });
}

/** One connection as the watch over it sees it. */
export type MonitoredConnection = {
  ws: WebSocket;
  /** When something was last heard, in ms. */
  lastMessageAt: number;
  /** It was cut because it no longer answered. */
  silent: boolean;
};

export type ConnectionMonitor = {
  /** Watches a connection until it is closed: pings it when it is quiet, and cuts it when there is no answer. */
  watch(ws: WebSocket): MonitoredConnection;
  stop(): void;
};

/** Watches any number of connections with one timer. */
export function createConnectionMonitor(): ConnectionMonitor {
  const tickMs = 250;
  const timingWheel = createTimingWheel<MonitoredConnection>(
    { tickMs, ticks: 64, now: Date.now() },
    (connection, now) => {
      const { ws } = connection;
      if (ws.readyState === ws.CLOSED) return;
      const idle = now - connection.lastMessageAt;
      // What we do not read we cannot hear.
      if (ws.isPaused || idle < limits.pingMs) {
        timingWheel.add(connection, ws.isPaused ? tickMs : limits.pingMs - idle);
      } else if (idle < limits.idleTimeoutMs) {
        if (ws.readyState === ws.OPEN) ws.ping();
        timingWheel.add(connection, limits.idleTimeoutMs - idle);
      } else {
        connection.silent = true;
        ws.terminate();
      }
    },
  );
  const timer = setInterval(() => timingWheel.advance(Date.now()), tickMs);
  timer.unref();
  return {
    watch(ws) {
      const connection: MonitoredConnection = { ws, lastMessageAt: Date.now(), silent: false };
      const markActive = () => {
        connection.lastMessageAt = Date.now();
      };
      ws.on("message", markActive);
      ws.on("pong", markActive);
      ws.on("ping", markActive);
      timingWheel.add(connection, limits.pingMs);
      return connection;
    },
    stop: () => clearInterval(timer),
  };
}
