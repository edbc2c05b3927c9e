import type { Schema } from "@ngpu/api-client/client";
import { useText } from "../../app/settings.tsx";
import { Badge, type Tone } from "../../ui/page.tsx";

type Status = Schema<"Node">["status"];

const tones: Record<Status, Tone> = { none: "idle", online: "good", offline: "bad", maintenance: "warn" };

export function NodeStatus({ status }: { status: Status }) {
  const t = useText();
  return <Badge tone={tones[status]}>{t(`node.status.${status}`)}</Badge>;
}
