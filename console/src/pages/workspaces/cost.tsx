import { usePages } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { More, Table } from "../../ui/table.tsx";

/** What the workspace's leases were paid and refunded, newest first. */
export function Cost({ id }: { id: string }) {
  const { t, format } = useSettings();
  const pages = usePages("GET /v1/account/history", { query: { limit: 200 } });
  const changes = pages.data?.pages
    .flatMap((page) => page.changes)
    .filter(({ workspaceId }) => workspaceId === id);
  return (
    <Loaded query={{ data: changes, error: pages.error }}>
      {(own) => (
        <div className="stack">
          {own.length === 0 ? <Empty>{t("cost.none")}</Empty> : null}
          {own.length === 0 ? null : (
            <Table
              columns={[
                { text: t("cost.time") },
                { text: t("cost.kind") },
                { text: t("replica.node") },
                { text: "NGPU", number: true },
              ]}
            >
              {own.map((change) => (
                <tr key={`${change.txHash}.${change.replica}.${change.lease}.${change.kind}`}>
                  <td>{format.time(change.at)}</td>
                  <td>{t(`cost.${change.kind}`)}</td>
                  <td>{change.nodeId === null ? t("none") : <NodeLink id={change.nodeId} />}</td>
                  <td className="number">{tokens(change.amount, 6)}</td>
                </tr>
              ))}
            </Table>
          )}
          <More pages={pages} />
        </div>
      )}
    </Loaded>
  );
}
