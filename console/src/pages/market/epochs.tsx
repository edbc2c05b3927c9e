import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { short, tokens } from "../../format.ts";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Badge } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";

/** The newest reward epochs, each with what it added to the one before. */
export function Epochs() {
  const { t, format } = useSettings();
  const epochs = useRoute("GET /v1/epochs", { query: { limit: 7 } }, { every: 15_000 });
  return (
    <Loaded query={epochs}>
      {({ epochs: list }) =>
        list.length === 0 ? (
          <Empty>{t("market.epochs.none")}</Empty>
        ) : (
          <Table
            columns={[
              { text: t("epoch.number") },
              { text: t("epoch.root") },
              { text: t("epoch.total"), number: true },
              { text: t("epoch.state") },
            ]}
          >
            {list.slice(0, 6).map((epoch) => (
              <tr key={epoch.number}>
                <td>{epoch.number}</td>
                <td>
                  <code title={epoch.root}>{short(epoch.root)}</code>
                </td>
                <td className="number">{tokens(epoch.total)}</td>
                <td>
                  <State epoch={epoch} activates={format.ago(epoch.activatesAt)} />
                </td>
              </tr>
            ))}
          </Table>
        )
      }
    </Loaded>
  );
}

function State(given: { epoch: { disabled: boolean; activatesAt: number }; activates: string }) {
  const { t } = useSettings();
  if (given.epoch.disabled) return <Badge tone="bad">{t("epoch.disabled")}</Badge>;
  if (given.epoch.activatesAt * 1000 > Date.now()) {
    return <Badge tone="idle">{t("epoch.activates", { when: given.activates })}</Badge>;
  }
  return <Badge tone="good">{t("epoch.active")}</Badge>;
}
