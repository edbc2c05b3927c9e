import type { Schema } from "@ngpu/api-client/client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { usePages } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button } from "../../ui/form.tsx";
import { LongTable } from "../../ui/longTable.tsx";
import { Empty, ErrorNotice, Loaded, Notice } from "../../ui/notices.tsx";
import { Badge, type Tone } from "../../ui/page.tsx";

type Delivery = Schema<"WebhookDelivery">;

const tones: Record<Delivery["status"], Tone> = { pending: "warn", delivered: "good", failed: "bad" };

/** What was sent to a webhook, what it answered, and the way to send it again. */
export function Deliveries({ id }: { id: string }) {
  const { t, format } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const pages = usePages(
    "GET /v1/webhooks/{id}/deliveries",
    { path: { id }, query: { limit: 100 } },
    { every: 5_000 },
  );
  const replay = useMutation({
    mutationFn: (eventId: string) =>
      api.call("POST /v1/webhooks/{id}/replay", { path: { id }, body: { eventId } }),
    onSettled: () => queries.invalidateQueries(),
  });
  const list = pages.data?.pages.flatMap(({ deliveries }) => deliveries);
  return (
    <Loaded query={{ data: list, error: pages.error }}>
      {(deliveries) => (
        <>
          <ErrorNotice error={replay.error} />
          {replay.isSuccess ? <Notice tone="good" title={t("webhooks.replayed")} /> : null}
          {deliveries.length === 0 ? (
            <Empty>{t("webhooks.deliveries.none")}</Empty>
          ) : (
            <LongTable
              label={t("webhooks.deliveries")}
              columns={[
                { text: t("cost.time") },
                { text: t("webhooks.event") },
                { text: t("workspace.status") },
                { text: t("webhooks.attempts"), number: true },
                { text: t("webhooks.answer") },
                { text: t("webhooks.next") },
                { text: t("keys.actions") },
              ]}
              rows={deliveries}
              keyOf={({ eventId }) => eventId}
              pages={pages}
              cells={(one) => [
                format.time(one.createdAt),
                <code key="type" title={one.eventId}>
                  {one.type}
                </code>,
                <Badge key="status" tone={tones[one.status]}>
                  {t(`webhooks.status.${one.status}`)}
                </Badge>,
                format.count(one.attempts.length),
                <Answer key="answer" delivery={one} />,
                one.nextAttemptAt === null ? t("none") : format.ago(one.nextAttemptAt),
                <Button
                  key="replay"
                  kind="quiet"
                  disabled={replay.isPending}
                  onClick={() => replay.mutate(one.eventId)}
                >
                  {t("webhooks.replay")}
                </Button>,
              ]}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

/** What the last attempt met. */
function Answer({ delivery: { attempts } }: { delivery: Delivery }) {
  const { t } = useSettings();
  const last = attempts.at(-1);
  if (last === undefined) return t("none");
  const { httpStatus, error, ms } = last;
  return (
    <>
      {httpStatus ?? ""} {error === null ? "" : <code>{error}</code>} <span className="unit">{ms} ms</span>
    </>
  );
}
