import type { Schema } from "@ngpu/api-client/client";
import { useText } from "../../app/settings.tsx";
import { Badge } from "../../ui/page.tsx";

/** Whether events are sent to a webhook, and whether it takes them. */
export function WebhookStatus({ webhook }: { webhook: Schema<"Webhook"> }) {
  const t = useText();
  const { disabledReason, failingSince } = webhook;
  if (disabledReason !== null) return <Badge tone="idle">{t(`webhooks.disabled.${disabledReason}`)}</Badge>;
  if (failingSince !== null) return <Badge tone="bad">{t("webhooks.failing")}</Badge>;
  return <Badge tone="good">{t("webhooks.active")}</Badge>;
}
