import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button } from "../../ui/form.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { placementText } from "../workspaces/replicas.tsx";

export function PlacementsPage() {
  const { t } = useSettings();
  const { api } = useSession();
  const pages = useInfiniteQuery({
    queryKey: ["placements"],
    queryFn: ({ pageParam, signal }) =>
      api.call(
        "GET /v1/placements",
        { query: { limit: 50, ...(pageParam === "" ? {} : { after: pageParam }) } },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
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
      {pages.hasNextPage ? (
        <div className="row">
          <Button disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
            {t("cost.more")}
          </Button>
        </div>
      ) : null}
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
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("placement.when")}</th>
            <th scope="col">{t("placement.workspace")}</th>
            <th scope="col">{t("placement.node")}</th>
            <th scope="col" className="number">
              {t("head.block")}
            </th>
            <th scope="col">{t("placement.status")}</th>
          </tr>
        </thead>
        <tbody>
          {placements.map((one) => (
            <tr key={one.id}>
              <td>
                <Link to="/placements/$id" params={{ id: one.id }}>
                  {format.time(one.answeredAt)}
                </Link>
              </td>
              <td>{t("placement.replica", { workspace: one.workspaceId, replica: one.replica })}</td>
              <td>
                {one.nodeId === null ? (
                  <span className="muted">{t("none")}</span>
                ) : (
                  <Link to="/nodes/$id" params={{ id: String(one.nodeId) }}>
                    {t("node.name", { id: one.nodeId })}
                  </Link>
                )}
              </td>
              <td className="number">{one.block ?? t("none")}</td>
              <td>{t(placementText(one.status))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
