import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { sealSecrets } from "@ngpu/protocol/sealedSecrets";
import {
  recoverSecretRequest,
  type SecretRefusal,
  type SecretRequest,
  secretTiers,
  type WorkspaceSecrets,
} from "@ngpu/protocol/secrets";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { readNamed } from "./namedSecrets.ts";
import type { SecretVault } from "./secretVault.ts";
import {
  answerRequest,
  dropRequest,
  type OpenRequest,
  openRequests,
  sweepRequests,
} from "./store/secretRequests.ts";
import { putEncryptedAgain, readEncryptedByOthers } from "./store/secrets.ts";

type Deps = { db: Database; deployment: Deployment; vault: SecretVault; logger: Logger; signal: AbortSignal };

/** Milliseconds between two rounds: a notification may be lost. */
const interval = 5_000;

/**
 * Answers the requests of nodes for the secrets of their leases, and encrypts values again that an earlier key encrypts. Only a node
 * with the highest lease of a replica gets an answer, sealed for the key that it signed.
 */
export function startSecretDelivery(deps: Deps): Loop {
  const { db, logger, signal } = deps;
  return startLoop({ name: "secrets", logger, signal, interval }, async () => {
    await sweepRequests(db);
    for (const request of await openRequests(db)) {
      try {
        await answer(deps, request);
      } catch (error) {
        // One request that cannot be answered holds up no other.
        const { node_id: nodeId, workspace_id: workspaceId, replica, lease } = request;
        logger.warn({ event: "secrets_not_sealed", nodeId, workspaceId, replica, lease, error });
      }
    }
    await encryptAgain(deps);
  });
}

async function answer(deps: Deps, open: OpenRequest): Promise<void> {
  const request: SecretRequest = {
    workspaceId: BigInt(open.workspace_id),
    replica: open.replica,
    lease: open.lease,
    fence: open.fence,
    key: open.key,
  };
  if (!(await isSignedByNode(deps.deployment, request, open))) return dropRequest(deps.db, open);
  const wanted = secretsIn(open.config);
  if (wanted !== undefined && !isFinalEnough(open, wanted)) return;
  const refuse = (refused: SecretRefusal, names: string[]) =>
    answerRequest(deps.db, open, { refused, names });
  const { names, stored, missing, isTooLarge } = await readNamed(deps.db, open.owner, wanted ?? none);
  if (missing.length > 0) return refuse("secret_missing", missing);
  if (isTooLarge) return refuse("secrets_too_large", names);
  const values = new Map(stored.map((one) => [one.name, deps.vault.open(one, one.key_id, one.sealed)]));
  await answerRequest(deps.db, open, { sealed: await sealSecrets(request, values) });
  const { workspaceId, replica, lease } = request;
  deps.logger.info({
    event: "secrets_sealed",
    nodeId: open.node_id,
    workspaceId,
    replica,
    lease,
    count: values.size,
  });
}

const none = { env: [], files: [] };

async function isSignedByNode(
  deployment: Deployment,
  request: SecretRequest,
  { signature, node_key }: OpenRequest,
): Promise<boolean> {
  try {
    const signer = await recoverSecretRequest(deployment, request, signature);
    return signer.toLowerCase() === node_key.toLowerCase();
  } catch {
    // No signature of anyone.
    return false;
  }
}

/** The secrets that a configuration on the chain names. Anyone can publish any text: one that is not valid names none. */
function secretsIn(config: string): WorkspaceSecrets | undefined {
  try {
    return workspaceConfig.parse(JSON.parse(config)).secrets;
  } catch {
    return undefined;
  }
}

function isFinalEnough({ tier }: OpenRequest, { after = "unsafe" }: WorkspaceSecrets): boolean {
  return secretTiers.indexOf(tier) >= secretTiers.indexOf(after);
}

/** Encrypts values of earlier keys by the newest one, so that the earlier ones can be removed. */
async function encryptAgain({ db, vault, logger }: Deps): Promise<void> {
  const before = await readEncryptedByOthers(db, vault.newestKeyId);
  for (const one of before) {
    const sealed = vault.seal(one, vault.open(one, one.key_id, one.sealed));
    await putEncryptedAgain(db, one, { sealed, keyId: vault.newestKeyId });
  }
  if (before.length > 0) logger.info({ event: "secrets_encrypted_again", count: before.length });
}
