import { useText } from "../../app/settings.tsx";
import { Badge, type Tone } from "../../ui/page.tsx";

const tones = {
  pending: "idle",
  idle: "idle",
  distributing: "warn",
  starting: "warn",
  running: "good",
  stopped: "idle",
  failed: "bad",
  closed: "idle",
  expired: "idle",
} as const satisfies Record<string, Tone>;

export type Status = keyof typeof tones;

export function WorkspaceStatus({ status }: { status: Status }) {
  const t = useText();
  return <Badge tone={tones[status]}>{t(`workspace.status.${status}`)}</Badge>;
}
