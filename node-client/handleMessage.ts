import type { ServerMessage } from "@ngpu/protocol/wire";
import { dropProbe, putProbe } from "./journal/probes.ts";
import type { NodeParts } from "./parts.ts";

/** Takes a message of match to the part that it is for. */
export function hear(node: NodeParts, message: ServerMessage): void {
  const { journal, events } = node;
  node.lastContact.note();
  if (message.type === "welcome") {
    node.heartbeatSeconds = message.heartbeatSeconds;
    node.outbox.resend();
    node.prefetcher.repeat();
    events.emit("registration");
  } else if (message.type === "relayed") node.outbox.take(message);
  else if (message.type === "ack") node.receipts.take(message).catch(node.context.fail);
  else if (message.type === "probe") putProbe(journal, message);
  else if (message.type === "prefetch") node.prefetcher.take(message);
  else if (message.type === "probeDone") dropProbe(journal, message.roundId);
  if (message.type !== "ack") events.emit("work");
}
