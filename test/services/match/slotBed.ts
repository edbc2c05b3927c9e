import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { signHeartbeats, signRoot } from "@ngpu/protocol/heartbeatAck";
import { encodeHeartbeats, type HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import type { LocalAccount } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { slotAt } from "../../../services/match/presence/acknowledgeHeartbeats.ts";
import { noRoot, storeAck } from "../../../services/match/presence/ackStore.ts";
import { insertRow, openChainTables } from "../support/chainTables.ts";
import { asRole, createTestContext, type TestContext } from "../support/context.ts";
import { deploymentDocument } from "../support/deployment.ts";

const keyOf = (digit: string) => privateKeyToAccount(`0x${digit.repeat(64)}`);
export const accounts = { signer: keyOf("1"), other: keyOf("2"), cosigner: keyOf("3") };

/** Slots of ten minutes: none becomes too old during a test. */
export const deployment = {
  ...deploymentDocument,
  parameters: { ...deploymentDocument.parameters, slotSeconds: 600, heartbeatWindowSeconds: 36_000 },
} as unknown as Deployment;

/** A slot that ended so many slots before the present one. */
export const slotBefore = (slots: number) => slotAt(Date.now(), deployment) - BigInt(slots);

/** The bits of a slot of `nodeCount` nodes. */
export const bitsOf = (nodeCount: number, present: readonly number[]) =>
  encodeHeartbeats(nodeCount, new Set(present));

export type SlotBed = Awaited<ReturnType<typeof openSlotBed>>;

/** The tables of a market with an acknowledger on the chain, for one power of match that runs inside the test. */
export async function openSlotBed(role: "ngpu_match" | "ngpu_witness") {
  const { chain, db, close } = await openChainTables(role);
  const contexts: TestContext[] = [];
  let lines: string[] = [];
  let logs = 0;
  const log = (table: string, row: Record<string, unknown>) => {
    logs += 1;
    const place = { block_number: logs, log_index: 0, block_hash: `0x${logs}`, tx_hash: "0x" };
    return insertRow(chain, table, { ...place, block_time: new Date(0), ...row });
  };
  const permit = (account: LocalAccount, allowed: boolean) =>
    log("chain.event_heartbeat_acknowledger_set", { account: account.address, allowed });
  await permit(accounts.signer, true);
  return {
    chain,
    db,
    permit,
    /** The events that were logged since the last test. */
    events: () => lines.map((line) => JSON.parse(line) as { event: string; slot?: string }),
    /** A process of its own, as far as the database can tell. */
    start<Options>(begin: (given: Options) => void, options: Record<string, unknown>): TestContext {
      const context = createTestContext("test", { write: (line) => lines.push(line) });
      contexts.push(context);
      const url = asRole(chain.options.connectionString as string, role);
      begin({ context, pool: db, deployment, databaseUrl: url, ...options } as Options);
      return context;
    },
    /** What an instance says that it heard in a slot, signed by an account. */
    async hear(slot: bigint, nodeIds: number[], account: LocalAccount = accounts.signer, instance = "a") {
      const ack =
        nodeIds.length === 0
          ? {
              words: [],
              root: noRoot,
              signature: await signRoot(account, deployment, { slot, root: noRoot }),
            }
          : await signHeartbeats(account, deployment, slot, nodeIds);
      const { words, root, signature } = ack;
      await storeAck(chain, instance, { slot, words, root, signature });
      return root;
    },
    commit(slot: bigint, { encoding, nodeCount, bits }: HeartbeatBits) {
      const row = { slot, encoding, node_count: nodeCount, bits, block_number: 1 };
      return insertRow(chain, "chain.heartbeat_slot", row);
    },
    /** Records a dispute that set the bits of nodes. */
    async dispute(slot: bigint, nodeIds: number[]) {
      for (const { index, bits } of wordsOf(nodeIds)) {
        await log("chain.event_heartbeats_disputed", { slot, word: index, bits });
      }
    },
    /** Ends what runs, and empties the tables. */
    async clear() {
      for (const context of contexts.splice(0)) await context.stop();
      await empty(chain);
      lines = [];
    },
    close,
  };
}

const tables = [
  ...["heartbeat_ack", "heartbeat_proposal", "heartbeat_cosigned", "offline_statement", "absence"].map(
    (name) => `app.${name}`,
  ),
  "app.match_instance",
  "chain.heartbeat_slot",
  "chain.event_heartbeats_disputed",
  "chain.node",
];

async function empty(db: Database): Promise<void> {
  await db.query(`truncate ${tables.join(", ")}`);
}
