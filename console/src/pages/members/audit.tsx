import { usePages } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { short } from "../../format.ts";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { More, Table } from "../../ui/table.tsx";

/** Who did what with which key, newest first. */
export function Audit() {
  const { t, format } = useSettings();
  const pages = usePages("GET /v1/audit", { query: { limit: 20 } }, { every: 15_000 });
  const entries = pages.data?.pages.flatMap((page) => page.entries);
  return (
    <Loaded query={{ data: entries, error: pages.error }}>
      {(list) =>
        list.length === 0 ? (
          <Empty>{t("audit.none")}</Empty>
        ) : (
          <>
            <Table
              columns={[
                { text: t("audit.time") },
                { text: t("audit.member") },
                { text: t("audit.action") },
                { text: t("audit.subject") },
                { text: t("tasks.http"), number: true },
                { text: t("audit.address") },
              ]}
            >
              {list.map((entry) => (
                <tr key={entry.id}>
                  <td>{format.time(entry.at)}</td>
                  <td>
                    <code>{short(entry.member)}</code> <span className="unit">{entry.keyId}</span>
                  </td>
                  <td>
                    <code>{entry.action}</code>
                  </td>
                  <td>{entry.subject ?? entry.made ?? t("none")}</td>
                  <td className="number">{entry.status ?? t("none")}</td>
                  <td>{entry.address ?? t("none")}</td>
                </tr>
              ))}
            </Table>
            <More pages={pages} />
          </>
        )
      }
    </Loaded>
  );
}
