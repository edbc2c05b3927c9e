import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Badge } from "../../ui/page.tsx";

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
          <div className="scroll" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t("measurement.round")}</th>
                  <th scope="col">{t("measurement.state")}</th>
                  <th scope="col" className="number">
                    {t("measurement.down")}
                  </th>
                  <th scope="col" className="number">
                    {t("measurement.up")}
                  </th>
                  <th scope="col" className="number">
                    {t("measurement.latency")}
                  </th>
                  <th scope="col" className="number">
                    {t("measurement.disk")}
                  </th>
                  <th scope="col" className="number">
                    {t("measurement.expires")}
                  </th>
                </tr>
              </thead>
              <tbody>
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
              </tbody>
            </table>
          </div>
        )
      }
    </Loaded>
  );
}
