import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Queryable } from "@ngpu/db/pool";
import { type HeartbeatAck, rootSignerOf } from "@ngpu/protocol/heartbeatAck";
import { type HeartbeatWord, nodesOfWord } from "@ngpu/protocol/heartbeatWords";
import { wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import type { Hex } from "viem";

/** What an instance heard in a slot, as an acknowledger signed it. */
export type SlotAck = HeartbeatAck & { words: HeartbeatWord[] };

/** The root over no words: a signed one says that an instance heard nobody. */
export const noRoot: Hex = `0x${"0".repeat(64)}`;

/** Stores what an instance heard in a slot in place of what it stored before, and notifies the cosigners. */
export async function storeAck(db: Queryable, instance: string, ack: SlotAck): Promise<void> {
  const { slot, words, root, signature } = ack;
  await db.query(
    `insert into app.heartbeat_ack (slot, instance, words, root, signature) values ($1, $2, $3, $4, $5)
     on conflict (slot, instance) do update
       set words = excluded.words, root = excluded.root, signature = excluded.signature`,
    [slot, instance, JSON.stringify(words), root, signature],
  );
}

/** Deletes what was stored for slots before this one. */
export async function forgetAcks(db: Queryable, before: bigint): Promise<void> {
  await db.query("delete from app.heartbeat_ack where slot < $1", [before]);
  await db.query("delete from app.heartbeat_proposal where slot < $1", [before]);
}

/**
 * The acknowledgements of a slot that count: their words lead to their root, and an account that is an acknowledger on the
 * chain signed it. Nothing else in the table is believed.
 */
export async function readAcks(db: Queryable, deployment: Deployment, slot: bigint): Promise<SlotAck[]> {
  const { rows } = await db.query<Omit<SlotAck, "slot">>(
    "select words, root, signature from app.heartbeat_ack where slot = $1 order by instance",
    [slot],
  );
  if (rows.length === 0) return [];
  const signers = await acknowledgers(db);
  const acks = await Promise.all(
    rows.map(async (row) => {
      const ack = { ...row, slot };
      if (!isUnderRoot(ack)) return [];
      const signer = await rootSignerOf(deployment, ack);
      return signer !== undefined && signers.has(signer.toLowerCase()) ? [ack] : [];
    }),
  );
  return acks.flat();
}

/** The nodes of acknowledgements. */
export function nodesOfAcks(acks: readonly SlotAck[]): Set<number> {
  return new Set(acks.flatMap(({ words }) => words.flatMap(nodesOfWord)));
}

function isUnderRoot({ words, root }: SlotAck): boolean {
  if (words.length === 0) return root === noRoot;
  try {
    return wordTreeOf(words).root === root.toLowerCase();
  } catch {
    // The words are none, so no signer signed their root.
    return false;
  }
}

async function acknowledgers(db: Queryable): Promise<Set<string>> {
  const { rows } = await db.query<{ account: string; allowed: boolean }>(
    `select distinct on (account) account, allowed from chain.event_heartbeat_acknowledger_set
     order by account, block_number desc, log_index desc`,
  );
  return new Set(rows.filter(({ allowed }) => allowed).map(({ account }) => account.toLowerCase()));
}
