import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Loaded } from "../../ui/notices.tsx";
import { Page, Panel, Stats } from "../../ui/page.tsx";
import { Epochs } from "./epochs.tsx";
import { Heads } from "./heads.tsx";
import { Models } from "./models.tsx";
import { Presence } from "./presence.tsx";
import { Regions } from "./regions.tsx";
import type { Market } from "./types.ts";

/** How often the figures are read again, ms. */
const every = 5_000;

export function MarketPage() {
  const { t } = useSettings();
  const market = useRoute("GET /v1/market", {}, { every });
  return (
    <Page title={t("market.title")} lead={t("market.lead")}>
      <Loaded query={market}>{(data) => <Figures market={data} />}</Loaded>
    </Page>
  );
}

function Figures({ market }: { market: Market }) {
  const { t } = useSettings();
  return (
    <>
      <Totals market={market} />
      <Panel title={t("market.models")} note={t("market.models.note")} flush>
        <Models models={market.models} />
      </Panel>
      <div className="columns wide-left">
        <Panel title={t("market.presence")} note={t("market.presence.note")}>
          <Presence market={market} />
        </Panel>
        <Panel title={t("market.regions")} flush>
          <Regions regions={market.regions} />
        </Panel>
      </div>
      <div className="columns wide-left">
        <Panel title={t("market.epochs")} note={t("market.epochs.note")} flush>
          <Epochs />
        </Panel>
        <Panel title={t("market.chain")} note={t("market.chain.note")} flush>
          <Heads heads={market.heads} />
        </Panel>
      </div>
    </>
  );
}

function Totals({ market: { nodes, gpus, cpu, workspaces, granted } }: { market: Market }) {
  const { t, format } = useSettings();
  return (
    <Stats
      figures={[
        {
          name: t("market.online"),
          value: format.count(nodes.online),
          of: t("market.online.of", {
            total: format.count(nodes.total),
            measured: format.count(nodes.measured),
          }),
        },
        {
          name: t("market.gpus"),
          value: format.count(gpus.free),
          of: t("market.of", { total: format.count(gpus.total) }),
        },
        {
          name: t("market.cores"),
          value: format.decimal(cpu.free),
          of: t("market.of", { total: format.decimal(cpu.total) }),
        },
        {
          name: t("market.replicas"),
          value: format.count(workspaces.running),
          of: t("market.replicas.of", { count: format.count(workspaces.open) }),
        },
        { name: t("market.granted"), value: tokens(granted), of: "NGPU" },
      ]}
    />
  );
}
