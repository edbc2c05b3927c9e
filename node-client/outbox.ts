import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { RelayKind, RelayMessage } from "@ngpu/protocol/relayKinds";
import { relayDigest, signRelay } from "@ngpu/protocol/signedMessages";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex, LocalAccount } from "viem";
import type { Journal } from "./journal/open.ts";
import { expireOutbox, type OutboxItem, openOutbox, putOutbox, settleOutbox } from "./journal/outbox.ts";

/** Signed messages for the chain, which match relays. */
export type Outbox = {
  /** Signs, stores and sends a message. The same bytes are sent again until it is settled. @returns Its id. */
  submit<Kind extends RelayKind>(kind: Kind, message: RelayMessage<Kind>, subject: string): Promise<string>;
  /** Stores and sends a message that match has signed. @returns Its id. */
  forward<Kind extends RelayKind>(
    kind: Kind,
    message: RelayMessage<Kind>,
    signature: Hex,
    subject: string,
  ): Promise<string>;
  /** Sends all unsettled messages, at each new session and periodically. */
  resend(): void;
  /** Records the result that match reports for a message. */
  recordResult(result: Extract<ServerMessage, { type: "relayed" }>): void;
};

/** Seconds for which a signature is valid. */
export const messageLife = 600;

type OutboxDependencies = {
  journal: Journal;
  account: LocalAccount;
  deployment: Deployment;
  send: (message: ClientMessage) => boolean;
  logger: Logger;
  onSettled?: (id: string) => void;
};

export function createOutbox(deps: OutboxDependencies): Outbox {
  const { journal, account, deployment, logger } = deps;
  return {
    submit: async (kind, message, subject) => {
      const id = put(deps, {
        kind,
        message,
        signature: await signRelay(account, deployment, kind, message),
        subject,
      });
      logger.info({ event: "message_signed", kind, subject, id });
      return id;
    },
    forward: async (kind, message, signature, subject) => put(deps, { kind, message, signature, subject }),
    resend: () => {
      expireOutbox(journal, Date.now());
      for (const item of openOutbox(journal)) if (!dispatch(deps, item)) return;
    },
    recordResult: ({ id, status, reason, txHash }) => {
      settleOutbox(journal, id, { status, reason, now: Date.now() });
      if (status === "refused") logger.warn({ event: "message_refused", id, reason });
      else logger.debug({ event: status === "queued" ? "message_queued" : "message_confirmed", id, txHash });
      if (status !== "queued") deps.onSettled?.(id);
    },
  };
}

/** Stores a signed message and sends it. @returns Its id. */
function put<Kind extends RelayKind>(
  deps: OutboxDependencies,
  signed: { kind: Kind; message: RelayMessage<Kind>; signature: Hex; subject: string },
): string {
  const { kind, message } = signed;
  const id = relayDigest(deps.deployment, kind, message).slice(2);
  putOutbox(deps.journal, { ...signed, id, deadline: message.deadline, now: Date.now() });
  dispatch(deps, { ...signed, id });
  return id;
}

function dispatch(
  deps: OutboxDependencies,
  { id, kind, message, signature }: Pick<OutboxItem, "id" | "kind" | "message" | "signature">,
): boolean {
  return deps.send({ type: "relay", id, kind, message, signature });
}

/** The Unix time until which a message signed now is valid. */
export function deadline(): bigint {
  return BigInt(Math.floor(Date.now() / 1000) + messageLife);
}
