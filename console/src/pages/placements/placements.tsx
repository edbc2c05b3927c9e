import { Link } from "@tanstack/react-router";
import { usePages } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { More, Table } from "../../ui/table.tsx";
import { placementText } from "../workspaces/replicas.tsx";

export function PlacementsPage() {
  const { t } = useSettings();
  const pages = usePages("GET /v1/placements", { query: { limit: 50 } });
  const list = pages.data?.pages.flatMap((page) => page.placements);
  return (
    <Page title={t("placements.title")} lead={t("placements.lead")}>
      <Panel flush>
        <Loaded query={{ data: list, error: pages.error }}>
          {(placements) =>
            placements.length === 0 ? <Empty>{t("placements.none")}</Empty> : <Rows placements={placements} />
          }
        </Loaded>
      </Panel>
      <More pages={pages} />
    </Page>
  );
}

type Entry = {
  id: string;
  workspaceId: string;
  replica: number;
  status: string;
  nodeId: number | null;
  block: string | null;
  answeredAt: string;
};

function Rows({ placements }: { placements: Entry[] }) {
  const { t, format } = useSettings();
  return (
    <Table
      columns={[
        { text: t("placement.when") },
        { text: t("placement.workspace") },
        { text: t("placement.node") },
        { text: t("head.block"), number: true },
        { text: t("placement.status") },
      ]}
    >
      {placements.map((one) => (
        <tr key={one.id}>
          <td>
            <Link to="/placements/$id" params={{ id: one.id }}>
              {format.time(one.answeredAt)}
            </Link>
          </td>
          <td>{t("placement.replica", { workspace: one.workspaceId, replica: one.replica })}</td>
          <td>
            {one.nodeId === null ? <span className="muted">{t("none")}</span> : <NodeLink id={one.nodeId} />}
          </td>
          <td className="number">{one.block ?? t("none")}</td>
          <td>{t(placementText(one.status))}</td>
        </tr>
      ))}
    </Table>
  );
}
