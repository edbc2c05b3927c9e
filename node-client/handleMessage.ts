import type { ServerMessage } from "@ngpu/protocol/wire";
import { dropProbe, putProbe } from "./journal/probes.ts";
import type { NodeParts } from "./partTypes.ts";

/** Dispatches a message of match to the part that handles it. */
export function handleMessage(node: NodeParts, message: ServerMessage): void {
  const { journal, events } = node;
  node.lastContact.note();
  if (message.type === "welcome") {
    node.heartbeatSeconds = message.heartbeatSeconds;
    node.outbox.resend();
    node.prefetcher.repeat();
    node.reasons.resend();
    events.emit("registration");
  } else if (message.type === "relayed") node.outbox.recordResult(message);
  else if (message.type === "ack") node.heartbeatAcks.store(message).catch(node.context.fail);
  else if (message.type === "probe") putProbe(journal, message);
  else if (message.type === "wave") node.waves.take(message);
  else if (message.type === "secrets") node.secretClient.take(message);
  else if (message.type === "prefetch") node.prefetcher.enqueue(message);
  else if (message.type === "probeDone") dropProbe(journal, message.roundId);
  if (message.type !== "ack") events.emit("work");
}
