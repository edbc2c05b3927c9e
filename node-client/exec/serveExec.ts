import { buffer } from "node:stream/consumers";
import { type ExecOrder, execOrder } from "@ngpu/protocol/exec";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { leaseKey } from "../leases.ts";
import { accept, type NodeRequest } from "../nodeRequest.ts";
import { readClient } from "./clientInput.ts";
import { startProcess } from "./process.ts";
import { attachClient, createSession, endSession, type Session } from "./session.ts";

/** Sessions of one lease at once. */
const maxSessions = 16;
/** Longest order, bytes. */
const maxOrder = 128 << 10;
/** Milliseconds between two checks whether the leases of sessions have ended. */
const leaseInterval = 1_000;

type Kept = { session: Session; lease: string; isCurrent: () => boolean };

/** Serves the sessions of a node's leases. They end with the client. */
export function createExec(signal: AbortSignal, kept?: number) {
  const sessions = new Map<string, Kept>();
  const watch = setInterval(() => {
    for (const { session, isCurrent } of sessions.values())
      if (!isCurrent()) endSession(session, "lease_ended");
  }, leaseInterval);
  watch.unref();
  signal.addEventListener("abort", () => {
    clearInterval(watch);
    for (const { session } of sessions.values()) endSession(session, "node_restarted");
  });
  return async (request: NodeRequest): Promise<void> => {
    const [id, extra] = request.rest;
    if (extra !== undefined) throw unknownSession();
    if (id === undefined) await begin(sessions, request, kept);
    else await attach(sessions, request, id);
  };
}

async function begin(
  sessions: Map<string, Kept>,
  { stream, lease, current, deps }: NodeRequest,
  kept: number | undefined,
): Promise<void> {
  const order = await readOrder(stream);
  const container = current()?.container;
  if (container?.status !== "running") {
    throw new InputError("The container does not run.", {
      code: "exec_not_started",
      hint: "Start the container first.",
    });
  }
  const key = leaseKey(lease);
  const known = sessions.get(order.id);
  if (known === undefined) {
    const open = [...sessions.values()].filter(({ lease: own, session }) => own === key && !session.end);
    if (open.length >= maxSessions) {
      throw new InputError(`${maxSessions} sessions are open.`, {
        code: "node_requests_exceeded",
        hint: "End one of them.",
      });
    }
    const process = await startProcess(deps.engine, container.id, order);
    const session = createSession(order, process, {
      ...(kept === undefined ? {} : { kept }),
      onForgotten: () => sessions.delete(order.id),
    });
    const isCurrent = () => current()?.container?.id === container.id;
    sessions.set(order.id, { session, lease: key, isCurrent });
    deps.logger.info({ event: "exec_started", lease: key, id: order.id, tty: order.tty });
  }
  accept(stream, "application/json");
  stream.end(toJson({ id: order.id }));
}

/** @throws InputError `node_request_invalid`. */
async function readOrder(stream: NodeRequest["stream"]): Promise<ExecOrder> {
  const invalid = (reason: string) =>
    new InputError(reason, { code: "node_request_invalid", hint: "Correct the order." });
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxOrder) stream.destroy();
  });
  const text = (await buffer(stream)).toString();
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw invalid("The order is not JSON.");
  }
  const parsed = execOrder.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(`The order is invalid: ${issue?.path.join(".")} ${issue?.message}.`);
}

async function attach(sessions: Map<string, Kept>, request: NodeRequest, id: string): Promise<void> {
  const { stream, lease, query, signal } = request;
  const found = sessions.get(id);
  if (found === undefined || found.lease !== leaseKey(lease)) throw unknownSession();
  const { session } = found;
  const offset = Number(query.get("output") ?? 0);
  const { start, end } = session.output.bounds();
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > end) {
    throw new InputError(`The output has ${end} bytes.`, {
      code: "node_request_invalid",
      hint: "Attach with the number of bytes that arrived.",
    });
  }
  if (offset < start) {
    throw new InputError(`The output before byte ${start} is not kept.`, {
      code: "exec_output_lost",
      hint: "Attach from a later byte.",
    });
  }
  accept(stream, "application/octet-stream");
  void readClient(session, stream).catch(() => stream.destroy());
  signal.addEventListener("abort", () => session.wake(), { once: true });
  await attachClient(session, stream, { offset, hasAcks: query.get("acks") === "true" });
}

const unknownSession = () =>
  new InputError("The lease has no such session.", {
    code: "exec_session_unknown",
    hint: "Begin another session.",
  });
