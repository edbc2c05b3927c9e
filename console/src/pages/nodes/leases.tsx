import { usePages } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { perHour } from "../../format.ts";
import { LongTable } from "../../ui/longTable.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Badge } from "../../ui/page.tsx";

/** A node's leases, newest first, and why those that ended did. */
export function Leases({ id }: { id: string }) {
  const { t } = useSettings();
  const pages = usePages(
    "GET /v1/nodes/{id}/leases",
    { path: { id }, query: { limit: 100 } },
    { every: 10_000 },
  );
  const list = pages.data?.pages.flatMap((page) => page.leases);
  return (
    <Loaded query={{ data: list, error: pages.error }}>
      {(leases) =>
        leases.length === 0 ? (
          <Empty>{t("leases.none")}</Empty>
        ) : (
          <LongTable
            label={t("leases.title")}
            columns={[
              { text: t("leases.lease") },
              { text: t("replica.state") },
              { text: t("leases.ended") },
              { text: t("replica.price"), number: true },
              { text: t("head.block"), number: true },
            ]}
            rows={leases}
            keyOf={({ workspaceId, replica, lease }) => `${workspaceId}/${replica}/${lease}`}
            pages={pages}
            cells={(one) => [
              <code key="lease">{`${one.workspaceId}/${one.replica}/${one.lease}`}</code>,
              <Badge
                key="state"
                tone={one.releaseReason !== null ? "idle" : one.state === "running" ? "good" : "warn"}
              >
                {t(`replica.state.${one.state}`)}
              </Badge>,
              one.releaseReason === null ? t("none") : <code key="reason">{one.releaseReason}</code>,
              perHour(one.pricePerSecond),
              one.assignedBlock,
            ]}
          />
        )
      }
    </Loaded>
  );
}
