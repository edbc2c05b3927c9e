import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Badge } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";

/** A node's measurement rounds, newest first. */
export function Measurements({ id }: { id: string }) {
  const { t, format } = useSettings();
  const query = useRoute(
    "GET /v1/nodes/{id}/measurements",
    { path: { id }, query: { limit: 20 } },
    { every: 15_000 },
  );
  const value = (figure: number | null, unit: string) =>
    figure === null ? (
      <span className="muted">{t("none")}</span>
    ) : (
      <>
        {format.decimal(figure)} <span className="unit">{unit}</span>
      </>
    );
  return (
    <Loaded query={query}>
      {({ measurements }) =>
        measurements.length === 0 ? (
          <Empty>{t("node.measurements.none")}</Empty>
        ) : (
          <Table
            columns={[
              { text: t("measurement.round") },
              { text: t("measurement.state") },
              { text: t("measurement.down"), number: true },
              { text: t("measurement.up"), number: true },
              { text: t("measurement.latency"), number: true },
              { text: t("measurement.disk"), number: true },
              { text: t("measurement.expires"), number: true },
            ]}
          >
            {measurements.map((round) => (
              <tr key={round.id}>
                <td>{round.id}</td>
                <td>
                  <Badge tone={round.status === "finalized" ? "good" : "idle"}>
                    {t(`measurement.${round.status}`)}
                  </Badge>
                </td>
                <td className="number">{value(round.downMbps, "Mbit/s")}</td>
                <td className="number">{value(round.upMbps, "Mbit/s")}</td>
                <td className="number">{value(round.latencyMs, "ms")}</td>
                <td className="number">{value(round.diskWriteMibps, "MiB/s")}</td>
                <td className="number">
                  {round.expiresAt === null ? (
                    <span className="muted">{t("none")}</span>
                  ) : (
                    format.ago(round.expiresAt)
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )
      }
    </Loaded>
  );
}
