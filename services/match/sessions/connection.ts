import { InputError } from "@ngpu/runtime/errors";
import type { WebSocket } from "ws";
import { createTimingWheel } from "./timingWheel.ts";

/** Limits of one connection. */
export const limits = {
  maxBytes: 256 * 1024,
  /** Messages per second, and the size of a burst. */
  rate: 50,
  burst: 300,
  /** @deadline The hello of a node or measurer. Its connection is closed with `hello_missing`. */
  helloMs: 10_000,
  /** Time without a message after which the peer is pinged, ms. */
  pingMs: 4_500,
  /** @deadline A message or pong of a node or measurer. Its session ends; the node counts as without contact. */
  idleTimeoutMs: 6_500,
};

/** Numbers of waiting messages at which reading pauses and resumes. */
const pauseAbove = 32;
const resumeBelow = 8;

/**
 * Handles the messages of a socket one after the other, in order. Reading pauses while too many messages wait.
 *
 * @param onError receives the errors of `handle`, and InputError `rate_limited` when the peer exceeds its rate
 */
export function readInOrder(
  ws: WebSocket,
  handle: (text: string) => Promise<void>,
  onError: (error: unknown) => void,
): void {
  let tokens = limits.burst;
  let refilled = performance.now();
  let chain = Promise.resolve();
  let waiting = 0;
  ws.on("message", (data) => {
    const now = performance.now();
    tokens = Math.min(limits.burst, tokens + ((now - refilled) / 1_000) * limits.rate) - 1;
    refilled = now;
    if (tokens < 0) {
      onError(
        new InputError(`More than ${limits.rate} messages a second.`, {
          code: "rate_limited",
          hint: "Send fewer messages a second, then connect again.",
        }),
      );
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

/** A monitored connection. */
export type MonitoredConnection = {
  ws: WebSocket;
  /** Time of the last message, ping or pong, by `performance.now()`: this machine's clock may be set. */
  lastMessageAt: number;
  /** The connection was terminated because the peer did not respond. */
  silent: boolean;
};

export type ConnectionMonitor = {
  /** Monitors a connection until it is closed: pings an idle peer, and terminates the connection without a response. */
  watch(ws: WebSocket): MonitoredConnection;
  stop(): void;
};

/** Monitors any number of connections with one timer. */
export function createConnectionMonitor(): ConnectionMonitor {
  const tickMs = 250;
  const timingWheel = createTimingWheel<MonitoredConnection>(
    { tickMs, ticks: 64, now: performance.now() },
    (connection, now) => {
      const { ws } = connection;
      if (ws.readyState === ws.CLOSED) return;
      const idle = now - connection.lastMessageAt;
      // While reading is paused, messages and pongs are not received.
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
  const timer = setInterval(() => timingWheel.advance(performance.now()), tickMs);
  timer.unref();
  return {
    watch(ws) {
      const connection: MonitoredConnection = { ws, lastMessageAt: performance.now(), silent: false };
      const markActive = () => {
        connection.lastMessageAt = performance.now();
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
