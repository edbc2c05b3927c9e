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

/** Input that was read and that the node has not received. */
type Held = {
  parts: Uint8Array[];
  /** Bytes before the first part. */
  start: number;
  bytes: number;
};

type State = {
  held: Held;
  hasEnded: boolean;
  isClosed: boolean;
  connection: Connection | undefined;
  /** Wakes the reader, which waits while too much is held. */
  wake: () => void;
};

export function createPendingInput(stdin: AsyncIterable<Uint8Array> | undefined): PendingInput {
  const state: State = {
    held: { parts: [], start: 0, bytes: 0 },
    hasEnded: stdin === undefined,
    isClosed: false,
    connection: undefined,
    wake: () => undefined,
  };
  const end = () => {
    if (state.isClosed) return;
    state.hasEnded = true;
    state.connection?.end();
  };
  // An input that breaks off ends.
  if (stdin !== undefined) read(stdin, state).then(end, end);
  const release = (received: number) => {
    drop(state.held, received);
    state.wake();
  };
  return {
    attach: (received, to) => {
      release(received);
      state.connection = to;
      for (const part of state.held.parts) to.send(part);
      if (state.hasEnded) to.end();
    },
    detach: () => {
      state.connection = undefined;
    },
    release,
    close: () => {
      state.isClosed = true;
      state.held.parts = [];
      state.wake();
    },
  };
}

/** Reads until the input has ended or is closed, and sends each part where there is a connection. */
async function read(stdin: AsyncIterable<Uint8Array>, state: State): Promise<void> {
  for await (const bytes of stdin) {
    if (state.isClosed) return;
    for (let at = 0; at < bytes.length; at += partBytes) {
      const part = bytes.slice(at, at + partBytes);
      state.held.parts.push(part);
      state.held.bytes += part.length;
      state.connection?.send(part);
    }
    while (state.held.bytes >= limit && !state.isClosed) {
      await new Promise<void>((resolve) => {
        state.wake = resolve;
      });
    }
  }
}

/** Drops the first bytes, up to the number that the node has received. */
function drop(held: Held, received: number): void {
  const { parts } = held;
  while (parts[0] !== undefined && held.start + parts[0].length <= received) {
    held.start += parts[0].length;
    held.bytes -= parts[0].length;
    parts.shift();
  }
  const rest = received - held.start;
  if (parts[0] !== undefined && rest > 0) {
    parts[0] = parts[0].subarray(rest);
    held.start += rest;
    held.bytes -= rest;
  }
}
