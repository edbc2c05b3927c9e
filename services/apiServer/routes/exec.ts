import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { type ExecEndReason, execKept } from "@ngpu/protocol/exec";
import { InputError, NgpuError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { serveAttached } from "../execBridge.ts";
import { nodeJson } from "../gatewayClient.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { attachQuery, execId, execList, execSession, newExec } from "../schemas/exec.ts";
import {
  type ExecRow,
  endExecSession,
  findExecSession,
  insertExecSession,
  listExecSessions,
  placeExecSession,
} from "../store/execSessions.ts";
import { requireWorkspace } from "./workspaces.ts";

/** @deadline A node to start a command. The call fails with `gateway_unreachable`. */
const startDeadline = 30_000;
/** Ends after which the node has nothing of a session. */
const unkept: readonly ExecEndReason[] = ["node_restarted", "not_started", "client_away"];
/** Sessions in a list: the newest ones. */
const listed = 100;

export function execRoutes(deps: ApiDeps): Endpoint[] {
  return [begin(deps), sessions(deps), attach(deps)];
}

const begin = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/workspaces/:id/exec",
      tag: "Workspaces",
      summary: "Run a command in the container of a replica",
      description:
        "Starts the command as the container's user and within its limits. Its input and output go over the WebSocket of the session. It is recorded who ran what.",
      access: "partner",
      params: z.object({ id: workspaceIdText }),
      body: newExec,
      status: 201,
      errors: [409, 410, 501, 502, 504],
      answer: execSession,
    },
    async ({ partner, params, body, disconnected }) => {
      const { db, gateway } = deps;
      const workspace = await requireWorkspace(db, partner.wallet, params.id);
      const { replica, ...order } = body;
      const id = randomUUID();
      const of = { id, workspaceId: workspace.id, replica, wallet: partner.wallet, keyId: partner.keyId };
      await insertExecSession(db, { ...of, command: order.command, tty: order.tty });
      try {
        const signal = AbortSignal.any([disconnected, AbortSignal.timeout(startDeadline)]);
        const answer = await gateway.node({
          workspaceId: workspace.id,
          replica,
          path: "/exec",
          method: "POST",
          silence: startDeadline,
          body: Readable.from([Buffer.from(toJson({ ...order, id }))]),
          signal,
        });
        await nodeJson(answer, signal);
        await placeExecSession(db, id, answer);
      } catch (error) {
        await endExecSession(db, id, { reason: "not_started", exitCode: null });
        throw error;
      }
      return shown(await requireSession(deps, workspace.id, id));
    },
  );

const sessions = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/workspaces/:id/exec",
      tag: "Workspaces",
      summary: "List the commands that were run in a workspace, newest first",
      description: `The newest ${listed}, with the key that ran each and how it ended.`,
      access: "partner",
      params: z.object({ id: workspaceIdText }),
      answer: execList,
    },
    async ({ partner, params }) => {
      const { id } = await requireWorkspace(deps.db, partner.wallet, params.id);
      return { sessions: (await listExecSessions(deps.db, id, listed)).map(shown) };
    },
  );

const attach = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/workspaces/:id/exec/:session/attach",
      tag: "Workspaces",
      summary: "Attach to a command over a WebSocket",
      description:
        "A browser, which sets no header of a WebSocket, offers the subprotocols `ngpu.exec` and `ngpu.key.` followed by its key. Each message is binary, and its first byte names the channel. The client sends 0 (input) and 4 (JSON: `resize` with `columns` and `rows`, `eof`, `ack` with `output`, `end`). It receives 1 (stdout), 2 (stderr) and 3 (JSON: `attached` with the bytes of input received, `received`, `alive`, `replaced`, and at last `ended` with `reason` and `exitCode`). After a cut, attach again within 10 minutes with `output`, the bytes of output that arrived, and send the input again that the node had not received. The node keeps 1 MiB of output; then the command waits.",
      access: "partner",
      params: z.object({ id: workspaceIdText, session: execId }),
      query: attachQuery,
      status: 101,
      errors: [409, 410, 426, 501, 502],
      answer: z.object({}),
      streams: { contentType: "*/*", description: "A WebSocket" },
    },
    async ({ partner, params, query, request, response, disconnected }) => {
      const { id } = await requireWorkspace(deps.db, partner.wallet, params.id);
      const session = await requireSession(deps, id, params.session);
      if (isForgotten(session)) throw hasEnded(session.end_reason);
      try {
        await serveAttached(deps, request, response, {
          workspaceId: id,
          replica: session.replica,
          session: session.id,
          query,
          disconnected,
        });
      } catch (error) {
        if (!(error instanceof NgpuError) || error.code !== "exec_session_unknown") throw error;
        if (session.ended_at !== null) throw hasEnded(session.end_reason);
        // The node has another client process, or the replica another lease.
        await endExecSession(deps.db, session.id, { reason: "node_restarted", exitCode: null });
        throw hasEnded("node_restarted");
      }
      return undefined;
    },
  );

/**
 * Whether the node no longer has a session. It keeps one that has ended as long as one whose client is away: a client that was cut
 * at the end gets the rest.
 */
function isForgotten({ ended_at, end_reason }: ExecRow): boolean {
  if (ended_at === null) return false;
  if (end_reason !== null && unkept.includes(end_reason)) return true;
  return Date.now() - ended_at.getTime() > execKept;
}

/** @throws InputError `exec_session_not_found`. */
async function requireSession({ db }: ApiDeps, workspaceId: string, id: string): Promise<ExecRow> {
  const found = await findExecSession(db, workspaceId, id);
  if (found !== undefined) return found;
  throw new InputError(`The workspace has no session ${id}.`, {
    code: "exec_session_not_found",
    hint: "GET /v1/workspaces/{id}/exec lists its sessions.",
    status: 404,
  });
}

function hasEnded(reason: ExecEndReason | null): InputError {
  return new InputError("The session has ended.", {
    code: "exec_session_ended",
    hint: "Begin another one; details.reason says how this one ended.",
    status: 410,
    details: { reason },
  });
}

function shown(row: ExecRow) {
  return {
    id: row.id,
    replica: row.replica,
    lease: row.lease === null ? null : Number(row.lease),
    nodeId: row.node_id,
    keyId: row.key_id,
    command: row.command,
    tty: row.tty,
    createdAt: row.created_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endReason: row.end_reason,
    exitCode: row.exit_code,
  };
}
