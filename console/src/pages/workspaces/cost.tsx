import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Button } from "../../ui/form.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";

/** What the workspace's leases were paid and refunded, newest first. */
export function Cost({ id }: { id: string }) {
  const { t, format } = useSettings();
  const { api } = useSession();
  const pages = useInfiniteQuery({
    queryKey: ["cost", id],
    queryFn: ({ pageParam, signal }) =>
      api.call(
        "GET /v1/account/history",
        { query: { limit: 200, ...(pageParam === "" ? {} : { after: pageParam }) } },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const changes = pages.data?.pages
    .flatMap((page) => page.changes)
    .filter(({ workspaceId }) => workspaceId === id);
  return (
    <Loaded query={{ data: changes, error: pages.error }}>
      {(own) => (
        <div className="stack">
          {own.length === 0 ? <Empty>{t("cost.none")}</Empty> : null}
          {own.length === 0 ? null : (
            <div className="scroll" tabIndex={0}>
              <table>
                <thead>
                  <tr>
                    <th scope="col">{t("cost.time")}</th>
                    <th scope="col">{t("cost.kind")}</th>
                    <th scope="col">{t("replica.node")}</th>
                    <th scope="col" className="number">
                      NGPU
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {own.map((change) => (
                    <tr key={`${change.txHash}.${change.replica}.${change.lease}.${change.kind}`}>
                      <td>{format.time(change.at)}</td>
                      <td>{t(`cost.${change.kind}`)}</td>
                      <td>
                        {change.nodeId === null ? (
                          t("none")
                        ) : (
                          <Link to="/nodes/$id" params={{ id: String(change.nodeId) }}>
                            {t("node.name", { id: change.nodeId })}
                          </Link>
                        )}
                      </td>
                      <td className="number">{tokens(change.amount, 6)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {pages.hasNextPage ? (
            <div className="row">
              <Button disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
                {t("cost.more")}
              </Button>
            </div>
          ) : null}
        </div>
      )}
    </Loaded>
  );
}
