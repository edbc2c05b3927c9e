import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { createRequestKey, openSecrets, type PrivateRequestKey } from "@ngpu/protocol/sealedSecrets";
import { type SecretRequest, signSecretRequest } from "@ngpu/protocol/secrets";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Hex, LocalAccount } from "viem";
import type { Assignment } from "../leases.ts";

type Answer = Extract<ServerMessage, { type: "secrets" }>;

/** Secrets by name. */
export type SecretValues = ReadonlyMap<string, Buffer>;

export type SecretClient = {
  /**
   * The secrets of a lease, as the market has them now.
   *
   * @throws RetryableError `secret_missing` with `details.names`, or `secrets_unavailable`.
   */
  fetch(lease: Pick<Assignment, "workspaceId" | "replica" | "lease" | "fence">): Promise<SecretValues>;
  /** Takes an answer of match. */
  take(answer: Answer): void;
};

/** @deadline The market to answer a request for secrets. The container is not started; the request is made again. */
const deadline = 10_000;

/** Asks for the secrets of leases over the session, each time with a key of the request's own. */
export function createSecretClient(deps: {
  account: LocalAccount;
  deployment: Deployment;
  send: (message: ClientMessage) => boolean;
  deadline?: number;
}): SecretClient {
  const waiting = new Map<Hex, (answer: Answer) => void>();
  return {
    take: (answer) => waiting.get(answer.key)?.(answer),
    fetch: async ({ workspaceId, replica, lease, fence }) => {
      const { publicKey, privateKey } = await createRequestKey();
      const request: SecretRequest = { workspaceId, replica, lease, fence, key: publicKey };
      const signature = await signSecretRequest(deps.account, deps.deployment, request);
      const answered = Promise.withResolvers<Answer>();
      waiting.set(publicKey, answered.resolve);
      const late = () => answered.reject(unavailable("The market has not answered."));
      const timer = setTimeout(late, deps.deadline ?? deadline);
      try {
        if (!deps.send({ type: "secrets", ...request, signature }))
          throw unavailable("The node has no session with the market.");
        return await opened(request, privateKey, await answered.promise);
      } finally {
        clearTimeout(timer);
        waiting.delete(publicKey);
      }
    },
  };
}

async function opened(
  request: SecretRequest,
  privateKey: PrivateRequestKey,
  answer: Answer,
): Promise<SecretValues> {
  if (answer.refused === "secret_missing") throw missing(answer.names ?? []);
  if (answer.sealed === undefined)
    throw unavailable(`The market refuses them: ${answer.refused ?? "no reason"}.`);
  try {
    return await openSecrets(request, privateKey, Buffer.from(answer.sealed, "base64"));
  } catch (cause) {
    throw unavailable("The market's answer cannot be opened.", cause);
  }
}

/** Names that the owner has not set. */
export function missing(names: string[]): RetryableError {
  return new RetryableError(`The secrets ${names.join(", ")} are not set.`, {
    code: "secret_missing",
    hint: "The workspace's owner sets them; the node asks again.",
    details: { names },
  });
}

function unavailable(message: string, cause?: unknown): RetryableError {
  return new RetryableError(message, {
    code: "secrets_unavailable",
    hint: "See the log of match; the node asks again.",
    cause,
  });
}
