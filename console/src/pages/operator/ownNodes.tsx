import { Link } from "@tanstack/react-router";
import { usePages, useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { perHour, tokens } from "../../format.ts";
import { LongTable } from "../../ui/longTable.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Panel, Stats } from "../../ui/page.tsx";
import { NodeStatus } from "../nodes/status.tsx";

/** The machines of a wallet, and what the wallet earned with them. */
export function OwnNodes({ wallet }: { wallet: string }) {
  const { t, format } = useSettings();
  const pages = usePages("GET /v1/nodes", { query: { wallet, limit: 200 } }, { every: 5_000 });
  const reward = useRoute("GET /v1/rewards/{address}", { path: { address: wallet } }, { every: 15_000 });
  const list = pages.data?.pages.flatMap(({ nodes }) => nodes);
  return (
    <>
      <Loaded query={reward}>
        {({ earned, claimable, withheld }) => (
          <Stats
            figures={[
              { name: t("reward.earned"), value: tokens(earned), of: "NGPU" },
              { name: t("reward.withheld"), value: tokens(withheld), of: "NGPU" },
              {
                name: t("reward.claimable"),
                value: tokens(claimable),
                of: (
                  <Link to="/wallet" search={{ account: wallet }}>
                    {t("operator.claim")}
                  </Link>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      <Panel title={t("operator.nodes")} note={t("operator.nodes.note")} flush>
        <Loaded query={{ data: list, error: pages.error }}>
          {(nodes) =>
            nodes.length === 0 ? (
              <Empty>{t("operator.none")}</Empty>
            ) : (
              <LongTable
                label={t("operator.nodes")}
                columns={[
                  { text: t("node.id") },
                  { text: t("node.status") },
                  { text: t("operator.health") },
                  { text: t("node.gpu") },
                  { text: t("node.freeGpus"), number: true },
                  { text: t("node.cpu"), number: true },
                  { text: t("node.price"), number: true },
                ]}
                rows={nodes}
                keyOf={({ id }) => String(id)}
                pages={pages}
                cells={(node) => [
                  <NodeLink key="id" id={node.id} />,
                  <NodeStatus key="status" status={node.status} />,
                  node.wallet === null
                    ? t("operator.unbound")
                    : t(node.connected ? "node.connected" : "node.notConnected"),
                  node.gpu.count === 0 ? t("none") : `${node.gpu.count} × ${node.gpu.name ?? node.gpu.model}`,
                  t("node.freeOf", { free: node.free.gpus, total: node.total.gpus }),
                  t("node.freeOf", {
                    free: format.decimal(node.free.cpu),
                    total: format.decimal(node.total.cpu),
                  }),
                  perHour(node.pricePerSecond),
                ]}
              />
            )
          }
        </Loaded>
      </Panel>
    </>
  );
}
