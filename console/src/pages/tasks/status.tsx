import type { Schema } from "@ngpu/api-client/client";
import { useText } from "../../app/settings.tsx";
import { Badge, type Tone } from "../../ui/page.tsx";

type Status = Schema<"Task">["status"];

const tones: Record<Status, Tone> = {
  queued: "idle",
  running: "warn",
  succeeded: "good",
  failed: "bad",
  aborted: "idle",
};

export function TaskStatus({ status }: { status: Status }) {
  const t = useText();
  return <Badge tone={tones[status]}>{t(`tasks.status.${status}`)}</Badge>;
}
