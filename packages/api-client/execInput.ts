/** Bytes of input that are kept until the node has received them. Then no more is read. */
const limit = 1 << 20;
/** Longest message of input. */
const partBytes = 64 << 10;

type Connection = { send: (bytes: Uint8Array) => void; end: () => void };

/** Input that a session's node has not received yet. */
export type PendingInput = {
  /** Sends what the node does not have: it has `received` bytes. */
  attach(received: number, connection: Connection): void;
  detach(): void;
  /** Forgets what the node has received. */
  release(received: number): void;
  close(): void;
};

export function createPendingInput(stdin: AsyncIterable<Uint8Array> | undefined): PendingInput {
  let parts: Uint8Array[] = [];
  /** Bytes before the first part. */
  let start = 0;
  let held = 0;
  let hasEnded = stdin === undefined;
  let isClosed = false;
  let connection: Connection | undefined;
  let wake: () => void = () => undefined;
  const add = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += partBytes) {
      const part = bytes.slice(at, at + partBytes);
      parts.push(part);
      held += part.length;
      connection?.send(part);
    }
  };
  const release = (received: number) => {
    while (parts[0] !== undefined && start + parts[0].length <= received) {
      start += parts[0].length;
      held -= parts[0].length;
      parts.shift();
    }
    const rest = received - start;
    if (parts[0] !== undefined && rest > 0) {
      parts[0] = parts[0].subarray(rest);
      start += rest;
      held -= rest;
    }
    wake();
  };
  const read = async () => {
    for await (const bytes of stdin ?? []) {
      if (isClosed) return;
      add(bytes);
      while (held >= limit && !isClosed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    hasEnded = true;
    connection?.end();
  };
  // An input that breaks off ends.
  read().catch(() => {
    hasEnded = true;
    connection?.end();
  });
  return {
    attach: (received, to) => {
      release(received);
      connection = to;
      for (const part of parts) to.send(part);
      if (hasEnded) to.end();
    },
    detach: () => {
      connection = undefined;
    },
    release,
    close: () => {
      isClosed = true;
      parts = [];
      wake();
    },
  };
}
