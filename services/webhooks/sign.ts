import { Webhook } from "standardwebhooks";

/**
 * The headers of Standard Webhooks. While a secret is rotated, the body is signed with the old one and the new one.
 *
 * @param secrets At least one.
 */
export function signedHeaders(
  event: { id: string; body: string },
  secrets: readonly string[],
  now: Date,
): Record<string, string> {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(event.id, now, event.body));
  return {
    "webhook-id": event.id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": signatures.join(" "),
  };
}
