import type { AbiName } from "@ngpu/contracts-sdk/abis";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { PackingError } from "@ngpu/protocol/packedReports";
import {
  type RelayKind,
  recoverRelay,
  relayArgs,
  relayDigest,
  relayGroups,
  relayKinds,
} from "@ngpu/protocol/relay";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { FatalError, InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, rest, startLoop } from "@ngpu/runtime/loop";
import type { Sender, SendRequest, SendResult } from "@ngpu/tx-sender/send";
import type { Address, Hex } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import type { Role } from "../sessions/sessionStore.ts";
import type { Session } from "../sessions/sessions.ts";
import * as store from "./relayStore.ts";

type RelayRequest = Extract<ClientMessage, { type: "relay" }>;

/** How long messages are gathered into one transaction, in ms: not long for the first after a pause, since it may make the next block. */
const gatherMs = { first: 30, more: 300 };

const kindsOf: Record<Role, readonly RelayKind[]> = {
  node: ["register", "updateSpec", "setStatus", "setWallet", "report", "progress", "dispute"],
  measurer: ["registerMeasurer", "reveal"],
};

export type RelayOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
  instance: string;
  metrics: MatchMetrics;
};

export type Relay = {
  /** Checks a session's message, queues it and answers over the session, now and when the chain has spoken. */
  submit(session: Session, request: RelayRequest): Promise<void>;
  /** Something was queued or settled elsewhere. */
  wake(): void;
};

/** Brings signed messages to the chain in batches, each kind its own, without waiting for one another. */
export function startRelay(options: RelayOptions): Relay {
  const { context, pool, deployment } = options;
  const { logger, signal } = context;
  const waiting = new Map<bigint, { session: Session; id: string }[]>();
  let restarted = true;

  const tell = async () => {
    for (const row of await store.settledRelays(pool, [...waiting.keys()])) {
      for (const { session, id } of waiting.get(row.id) ?? []) answer(session, id, row);
      waiting.delete(row.id);
    }
  };
  const loop: Loop = startLoop({ name: "relay", logger, signal, interval: 2_000 }, async () => {
    const left = await store.takeOver(pool, options.instance, restarted);
    restarted = false;
    const batches = [...left, ...(await store.claimBatches(pool, options.instance))];
    // Not awaited: the next batch need not wait for the receipt of this one. Nothing throws out of it.
    for (const batch of batches) void deliver(options, batch).then(loop.wake);
    await tell();
  });
  let gathering = false;
  let gatheredAt = 0;
  const gather = () => {
    if (gathering) return;
    gathering = true;
    const wait = Date.now() - gatheredAt > gatherMs.more ? gatherMs.first : gatherMs.more;
    setTimeout(() => {
      gathering = false;
      gatheredAt = Date.now();
      loop.wake();
    }, wait).unref();
  };
  return {
    wake: gather,
    async submit(session, request) {
      const checked = await check(deployment, session, request);
      if ("reason" in checked) {
        session.send({ type: "relayed", id: request.id, status: "refused", reason: checked.reason });
        return;
      }
      const row = await store.putRelay(pool, checked);
      answer(session, request.id, row);
      if (row.status === "confirmed" || row.status === "refused") return;
      waiting.set(row.id, [
        ...(waiting.get(row.id) ?? []).filter((one) => one.session.key !== session.key),
        { session, id: request.id },
      ]);
      gather();
    },
  };
}

function answer(session: Session, id: string, row: store.RelayOutcome): void {
  const over = row.status === "confirmed" || row.status === "refused";
  session.send({
    type: "relayed",
    id,
    status: row.status === "confirmed" || row.status === "refused" ? row.status : "queued",
    ...(over && row.tx_hash !== null ? { txHash: row.tx_hash } : {}),
    ...(row.reason !== null ? { reason: row.reason } : {}),
  });
}

/** What can be told without the chain: shape, deadline, and who signed. */
async function check(
  deployment: Deployment,
  session: Session,
  request: RelayRequest,
): Promise<Parameters<typeof store.putRelay>[1] | { reason: string }> {
  const { kind, signature } = request;
  if (!kindsOf[session.role].includes(kind)) {
    throw new InputError(`A ${session.role} does not relay ${kind}.`, { code: "kind_not_allowed" });
  }
  const parsed = relayKinds[kind].message.safeParse(request.message);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`The ${kind} message is not valid: ${issue?.path.join(".")} ${issue?.message}`, {
      code: "message_invalid",
    });
  }
  const message = parsed.data;
  const now = BigInt(Math.floor(Date.now() / 1_000));
  if (message.deadline < now) {
    return { reason: `SignatureExpired(deadline ${message.deadline}, time ${now})` };
  }
  try {
    relayArgs(kind, [{ message, signature }]);
  } catch (error) {
    if (!(error instanceof PackingError)) throw error;
    return { reason: `SignatureInvalid(signer ${session.key}): ${error.message}` };
  }
  const signer = await signerOf(deployment, kind, message, signature);
  const named = "key" in message ? (message.key.toLowerCase() as Hex) : session.key;
  // The bound wallet, which the node's key does not know, signs a change of wallet, a committer a receipt.
  const strange = kind !== "setWallet" && kind !== "dispute" && signer !== session.key;
  if (signer === undefined || strange || named !== session.key) {
    return { reason: `SignatureInvalid(signer ${named})` };
  }
  const digest = relayDigest(deployment, kind, message as never);
  return { kind, signer, message, signature, digest, deadline: message.deadline };
}

async function signerOf(
  deployment: Deployment,
  kind: RelayKind,
  message: unknown,
  signature: Hex,
): Promise<Hex | undefined> {
  try {
    return (await recoverRelay(deployment, kind, message as never, signature)).toLowerCase() as Hex;
  } catch {
    // Not a signature at all.
    return undefined;
  }
}

/** Sends one batch until the chain has spoken; after a crash the same batch goes out under the same key. */
async function deliver(options: RelayOptions, items: store.RelayItem[]): Promise<void> {
  const { logger, signal } = options.context;
  for (let pause = 500; !signal.aborted; pause = Math.min(15_000, pause * 2)) {
    try {
      await deliverOnce(options, items);
      return;
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ event: "relay_delayed", kind: items[0]?.kind, items: items.length, pause, error });
    }
    await rest(pause, signal);
  }
}

async function deliverOnce(options: RelayOptions, items: store.RelayItem[]): Promise<void> {
  const { pool, deployment } = options;
  const [first] = items;
  if (first === undefined) return;
  await store.keepClaim(pool, first.batch);
  for (const [at, group] of relayGroups(deployment, first.kind, items)) {
    await deliverTo(options, at, first, group);
  }
}

async function deliverTo(
  options: RelayOptions,
  at: Address,
  first: store.RelayItem,
  items: store.RelayItem[],
): Promise<void> {
  const { pool, sender, metrics, context } = options;
  const { contract, functionName } = relayKinds[first.kind];
  const request = () => ({
    kind: `relay.${first.kind}`,
    contract,
    at,
    functionName,
    args: relayArgs(first.kind, items),
    // With the address: a contract may be replaced between a crash and the next attempt.
    dedupeKey: `relay:${first.batch}:${at}`,
  });
  let sent: SendResult<AbiName>;
  try {
    // A kind chosen at run time has no literal type of its own; relayKinds pairs function and message.
    sent = await sender.send(request() as unknown as SendRequest<AbiName, never>);
  } catch (error) {
    if (error instanceof PackingError) return refuseWhole(pool, items, error.message);
    if (!(error instanceof FatalError) || error.code !== "chain_refused") throw error;
    return refuseWhole(pool, items, String(error.details.text));
  }
  const refused = new Map(sent.refusals.map(({ index, error }) => [index, error.text]));
  const settled = items.map(({ id }, index) => ({ id, reason: refused.get(index) ?? null }));
  await store.settleBatch(pool, settled, sent.hash);
  metrics.relayed.inc({ kind: first.kind, outcome: "confirmed" }, items.length - refused.size);
  metrics.relayed.inc({ kind: first.kind, outcome: "refused" }, refused.size);
  for (const [index, reason] of refused) {
    context.logger.info({ event: "relay_refused", relay: items[index]?.id, kind: first.kind, reason });
  }
}

async function refuseWhole(pool: Database, items: store.RelayItem[], reason: string): Promise<void> {
  const ids = items.map((item) => item.id);
  if (ids.length > 1) return store.requeueAlone(pool, ids);
  await store.settleBatch(
    pool,
    ids.map((id) => ({ id, reason })),
    null,
  );
}
