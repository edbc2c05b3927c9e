import type { ApiClient } from "./client.ts";
import { ApiError, ApiUnreachableError } from "./errors.ts";
import { createPendingInput, type PendingInput } from "./execInput.ts";
import { mayRetry, pause, pauseBefore } from "./retry.ts";

/** The channels of a session's messages: the first byte of each. */
const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, control: 4 } as const;

/** Subprotocols: the server answers with the first one; the other one carries the key. */
const protocols = { exec: "ngpu.exec", key: "ngpu.key." } as const;

export type ExecEnd = { reason: string; exitCode: number | null };

export type ExecIo = {
  /** Takes output. When it returns a promise, the node holds further output back until it has resolved. */
  onStdout: (bytes: Uint8Array) => unknown;
  onStderr: (bytes: Uint8Array) => unknown;
  /** Absent: the command has no input. */
  stdin?: AsyncIterable<Uint8Array> | undefined;
  /** Called with a function that sets the size of the terminal. */
  onSize?: (resize: (columns: number, rows: number) => void) => void;
  /** Ends the session, and its command. */
  signal?: AbortSignal | undefined;
};

/** A session as its node keeps it. */
export type ExecSession = { workspaceId: string; id: string };

/** Milliseconds that a session is attached to again: its node keeps it that long. */
const longestAway = 10 * 60_000;
/** Bytes of output after which the client says that it has them. */
const ackBytes = 128 << 10;

type State = {
  input: PendingInput;
  received: number;
  acknowledged: number;
  end: ExecEnd | undefined;
  size: { columns: number; rows: number } | undefined;
  socket: WebSocket | undefined;
};

/**
 * Attaches to a session until its command ends. After a cut it attaches again, without losing a byte of output or sending input
 * twice.
 *
 * @throws ApiError `exec_session_ended`, with the reason; ApiUnreachableError when the API does not answer for ten minutes.
 *
 * @param keyIn Where the key is sent: a browser sets no header of a WebSocket, and names it as a subprotocol.
 */
export async function attachExec(
  {
    url,
    apiKey,
    api,
    keyIn = "header",
  }: { url: string; apiKey: string; api: ApiClient; keyIn?: "header" | "protocol" },
  session: ExecSession,
  io: ExecIo,
): Promise<ExecEnd> {
  const state: State = {
    input: createPendingInput(io.stdin),
    received: 0,
    acknowledged: 0,
    end: undefined,
    size: undefined,
    socket: undefined,
  };
  io.onSize?.((columns, rows) => {
    state.size = { columns, rows };
    control(state, { type: "resize", columns, rows });
  });
  const end = () => control(state, { type: "end" });
  io.signal?.addEventListener("abort", end);
  const path = `/v1/workspaces/${session.workspaceId}/exec/${session.id}/attach`;
  try {
    for (let failures = 0, since = Date.now(); ; ) {
      const before = state.received;
      const attached = await connect(state, `${url.replace(/^http/, "ws")}${path}`, {
        apiKey,
        keyIn,
        io,
      });
      if (state.end !== undefined) return state.end;
      if (attached || state.received > before) {
        failures = 0;
        since = Date.now();
      }
      await requireAttachable(api, path);
      if (Date.now() - since > longestAway)
        throw new ApiUnreachableError(url, new Error("the session is lost"));
      await pause(pauseBefore(failures++, undefined), undefined);
    }
  } finally {
    io.signal?.removeEventListener("abort", end);
    state.input.close();
  }
}

/** A WebSocket does not say why it was refused, so the same URL is asked without one. @throws ApiError. */
async function requireAttachable(api: ApiClient, path: string): Promise<void> {
  try {
    await api.get(path);
  } catch (error) {
    if (error instanceof ApiError && error.code === "upgrade_required") return;
    if (error instanceof ApiError && error.code === "replica_not_placed") return;
    if (!mayRetry(error, true)) throw error;
  }
}

/** One connection. @returns Whether the node has answered. */
async function connect(
  state: State,
  url: string,
  { apiKey, keyIn, io }: { apiKey: string; keyIn: "header" | "protocol"; io: ExecIo },
): Promise<boolean> {
  const closed = Promise.withResolvers<void>();
  let hasAnswered = false;
  const socket = new WebSocket(
    `${url}?output=${state.received}&acks=true`,
    keyIn === "protocol"
      ? [protocols.exec, `${protocols.key}${apiKey}`]
      : // Node's own option; the type of a browser does not have it.
        ({ headers: { authorization: `Bearer ${apiKey}` } } as never),
  );
  socket.binaryType = "arraybuffer";
  socket.onclose = () => closed.resolve();
  socket.onerror = () => closed.resolve();
  socket.onmessage = ({ data }) => {
    const bytes = new Uint8Array(data as ArrayBuffer);
    const payload = bytes.subarray(1);
    if (bytes[0] === channels.stdout || bytes[0] === channels.stderr) {
      const taken = (bytes[0] === channels.stdout ? io.onStdout : io.onStderr)(payload);
      takeOutput(state, payload.length, taken);
    } else if (bytes[0] === channels.status) {
      hasAnswered = true;
      takeStatus(state, socket, JSON.parse(new TextDecoder().decode(payload)), io);
    }
  };
  await closed.promise;
  socket.onmessage = null;
  state.socket = undefined;
  state.input.detach();
  socket.close();
  return hasAnswered;
}

/** Output that is not acknowledged stays with the node, which lets the command wait when it has too much. */
function takeOutput(state: State, length: number, taken: unknown): void {
  state.received += length;
  const upTo = state.received;
  const acknowledge = () => {
    if (upTo - state.acknowledged < ackBytes) return;
    state.acknowledged = upTo;
    control(state, { type: "ack", output: upTo });
  };
  if (taken instanceof Promise) taken.then(acknowledge, acknowledge);
  else acknowledge();
}

type Status = { type: string; input?: number; reason?: string; exitCode?: number | null };

function takeStatus(state: State, socket: WebSocket, status: Status, io: ExecIo): void {
  if (status.type === "attached") {
    state.socket = socket;
    if (state.size !== undefined) control(state, { type: "resize", ...state.size });
    state.input.attach(status.input ?? 0, {
      send: (bytes) => socket.send(message(channels.stdin, bytes)),
      end: () => control(state, { type: "eof" }),
    });
    if (io.signal?.aborted === true) control(state, { type: "end" });
  } else if (status.type === "received") state.input.release(status.input ?? 0);
  else if (status.type === "ended") {
    state.end = { reason: status.reason ?? "exited", exitCode: status.exitCode ?? null };
  }
}

function control({ socket }: State, said: object): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(message(channels.control, new TextEncoder().encode(JSON.stringify(said))));
}

function message(channel: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(payload.length + 1);
  bytes[0] = channel;
  bytes.set(payload, 1);
  return bytes;
}
