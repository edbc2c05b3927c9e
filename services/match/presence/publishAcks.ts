import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { signHeartbeats, signRoot } from "@ngpu/protocol/heartbeatAck";
import type { LocalAccount } from "viem";
import { noRoot, storeAck } from "./ackStore.ts";

export type PublishOptions = {
  pool: Database;
  deployment: Deployment;
  instance: string;
  /** An acknowledger. */
  account: LocalAccount;
};

/** Publishes what this instance heard in slots that ended, again when it heard more. */
export type AckPublisher = {
  publish(slot: bigint, nodeIds: ReadonlySet<number>): Promise<void>;
  /** Forgets what was published for slots before this one. */
  forget(before: bigint): void;
};

export function createAckPublisher({ pool, deployment, instance, account }: PublishOptions): AckPublisher {
  const published = new Map<bigint, number>();
  return {
    async publish(slot, nodeIds) {
      if (published.get(slot) === nodeIds.size) return;
      const size = nodeIds.size;
      const ack =
        size === 0
          ? {
              words: [],
              root: noRoot,
              signature: await signRoot(account, deployment, { slot, root: noRoot }),
            }
          : await signHeartbeats(account, deployment, slot, nodeIds);
      const { words, root, signature } = ack;
      await storeAck(pool, instance, { slot, words, root, signature });
      published.set(slot, size);
    },
    forget(before) {
      for (const slot of published.keys()) if (slot < before) published.delete(slot);
    },
  };
}
