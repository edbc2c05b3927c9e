import { useMemo } from "react";
import { usePages } from "../../api/queries.ts";
import { useText } from "../../app/settings.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page } from "../../ui/page.tsx";
import { NodeTable } from "./nodeTable.tsx";

const pageSize = 200;

export function NodesPage() {
  const t = useText();
  const pages = usePages("GET /v1/nodes", { query: { limit: pageSize } }, { staleTime: 15_000 });
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
