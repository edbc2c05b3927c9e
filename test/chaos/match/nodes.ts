import { setTimeout as delay } from "node:timers/promises";
import { type AssignmentState, assignmentStates, codeOf, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { signRelay } from "@ngpu/protocol/signedMessages";
import { createLogger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { Hex, PrivateKeyAccount } from "viem";
import { type Session, startSession } from "../../../node-client/session.ts";
import { nodeKey } from "../../bench/sessions/keys.ts";
import { registerNodes } from "../../bench/sessions/register.ts";
import type { TestMatch } from "../../services/match/setup.ts";

/** A lease that a node holds. */
type Held = {
  key: string;
  workspace_id: bigint;
  replica: number;
  lease: number;
  fence: Hex;
  state: AssignmentState;
  desired: string;
  sequence: number;
  lost_until: number | null;
};

type SimNode = { account: PrivateKeyAccount; session: Session };

/** Time after which a report without effect is repeated, ms. */
const repeatMs = 6_000;

/**
 * Nodes without containers. They open sessions with the node client, send heartbeats, report each lease in its desired state,
 * and go online again after they were marked offline. Their messages are signed and relayed as those of any node.
 */
export async function startNodes(
  test: TestMatch,
  options: { count: number; seed: number; urls: () => string[]; signal: AbortSignal },
): Promise<{ done: Promise<void> }> {
  const { count, seed, urls, signal } = options;
  const { deployment } = test.market;
  await registerNodes(test, count, seed, () => undefined);
  const nodes = new Map<string, SimNode>();
  for (let place = 0; place < count; place += 1) {
    const account = nodeKey(seed, place);
    const session = startSession({
      role: "node",
      account,
      deployment,
      urls,
      version: "chaos",
      host: undefined,
      signal,
      // Lost connections are expected here.
      logger: createLogger("nodes", "silent"),
      onMessage: () => undefined,
    });
    nodes.set(account.address.toLowerCase(), { account, session });
  }
  const reportedAt = new Map<string, number>();
  const act = async () => {
    while (!signal.aborted) {
      for (const held of await heldLeases(test)) {
        const node = nodes.get(held.key);
        const state = stateToReport(held);
        if (node === undefined || state === null) continue;
        const about = `${held.workspace_id}/${held.replica}/${held.lease}/${state}/${held.sequence}`;
        if (Date.now() - (reportedAt.get(about) ?? 0) < repeatMs || !node.session.isOpen()) continue;
        reportedAt.set(about, Date.now());
        await report(test, node, held, state);
      }
      for (const { key, node_id: nodeId } of await offlineNodes(test)) {
        const node = nodes.get(key);
        if (node === undefined || !node.session.isOpen()) continue;
        if (Date.now() - (reportedAt.get(key) ?? 0) < repeatMs) continue;
        reportedAt.set(key, Date.now());
        await goOnline(test, node, nodeId);
      }
      await rest(400, signal);
    }
  };
  const sendHeartbeats = async () => {
    while (!signal.aborted) {
      const slot = BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
      for (const { session } of nodes.values()) {
        session.send({ type: "heartbeat", slot, cpuLoad: 0.5, freeDiskGib: 50, running: [] });
      }
      await rest(1_000, signal);
    }
  };
  while (![...nodes.values()].every(({ session }) => session.isOpen())) await delay(50);
  const sessions = [...nodes.values()].map(({ session }) => session.done);
  return { done: Promise.all([act(), sendHeartbeats(), ...sessions]).then(() => undefined) };
}

async function heldLeases({ db }: TestMatch): Promise<Held[]> {
  const { rows } = await db.query<Held>(
    `select n.key, a.workspace_id::numeric, a.replica::int, a.lease::int, a.fence, a.state, a.desired, a.sequence::int,
       a.lost_until::float8
     from chain.assignment a join chain.node n using (node_id)
     where a.release_reason is null and a.state not in ('none', 'deleted', 'released')`,
  );
  return rows;
}

async function offlineNodes({ db }: TestMatch): Promise<{ key: string; node_id: number }[]> {
  const { rows } = await db.query<{ key: string; node_id: number }>(
    "select key, node_id::int from chain.node where status = 'offline'",
  );
  return rows;
}

async function goOnline({ market }: TestMatch, { account, session }: SimNode, nodeId: number): Promise<void> {
  const { ComputeNode: address } = market.deployment.contracts;
  const read = { address, abi: computeNodeAbi, functionName: "sequencesOf", args: [nodeId] } as const;
  const [last] = await market.client.readContract(read);
  const sequence = last + 1;
  const message = { nodeId, status: codeOf(nodeStatuses, "online"), sequence, deadline: inTwoMinutes() };
  const signature = await signRelay(account, market.deployment, "setStatus", message);
  session.send({ type: "relay", id: `online-${nodeId}-${sequence}`, kind: "setStatus", message, signature });
}

const inTwoMinutes = () => BigInt(Math.floor(Date.now() / 1_000) + 120);

/** The state to report of a lease; null: nothing to report. */
function stateToReport({ state, desired, lost_until: lostUntil }: Held): AssignmentState | null {
  if (desired === "delete") return "deleted";
  if (desired === "run") return state === "running" && lostUntil === null ? null : "running";
  return state === "ready" || state === "stopped" ? null : "stopped";
}

async function report(
  { market }: TestMatch,
  { account, session }: SimNode,
  held: Held,
  state: AssignmentState,
): Promise<void> {
  const message = {
    workspaceId: held.workspace_id,
    replica: held.replica,
    lease: held.lease,
    fence: held.fence,
    state: codeOf(assignmentStates, state),
    detail: `0x${"00".repeat(32)}` as Hex,
    sequence: held.sequence + 1,
    deadline: inTwoMinutes(),
  };
  const signature = await signRelay(account, market.deployment, "report", message);
  session.send({
    type: "relay",
    id: `${held.workspace_id}-${message.sequence}`,
    kind: "report",
    message,
    signature,
  });
}
