import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page } from "../../ui/page.tsx";
import { NodeTable } from "./nodeTable.tsx";

const pageSize = 200;

export function NodesPage() {
  const t = useText();
  const { api } = useSession();
  const pages = useInfiniteQuery({
    queryKey: ["nodes"],
    queryFn: ({ pageParam, signal }) =>
      api.call("GET /v1/nodes", { query: { limit: pageSize, after: pageParam } }, { signal }),
    // Ids begin with 1.
    initialPageParam: "0",
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: 15_000,
  });
  const nodes = useMemo(() => pages.data?.pages.flatMap((page) => page.nodes), [pages.data]);
  return (
    <Page title={t("nodes.title")} lead={t("nodes.lead")}>
      <Loaded query={{ data: nodes, error: pages.error }}>
        {(list) =>
          list.length === 0 ? (
            <Empty>{t("market.models.none")}</Empty>
          ) : (
            <NodeTable
              nodes={list}
              more={pages.hasNextPage}
              loadMore={() => pages.isFetchingNextPage || pages.fetchNextPage()}
            />
          )
        }
      </Loaded>
    </Page>
  );
}
