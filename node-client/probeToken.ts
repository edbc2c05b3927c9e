import { createHmac } from "node:crypto";

/**
 * The token that measurers send to a probe. The secret of the round, which match gives to the node and its measurers, is never
 * sent: what listens at a node's port could answer with it.
 */
export function callerToken(secret: string): string {
  return createHmac("sha256", secret).update("caller token").digest("hex");
}
