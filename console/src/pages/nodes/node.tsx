import type { Schema } from "@ngpu/api-client/client";
import { useParams } from "@tanstack/react-router";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { perHour, regionName } from "../../format.ts";
import { Loaded, Notice } from "../../ui/notices.tsx";
import { Facts, Page, Panel, Stats } from "../../ui/page.tsx";
import { Earnings } from "./earnings.tsx";
import { Leases } from "./leases.tsx";
import { Measurements } from "./measurements.tsx";
import { HardwareProof } from "./proof.tsx";
import { Slots } from "./slots.tsx";
import { NodeStatus } from "./status.tsx";

type Node = Schema<"Node">;

export function NodePage() {
  const { id } = useParams({ from: "/nodes/$id" });
  const { t } = useSettings();
  const node = useRoute("GET /v1/nodes/{id}", { path: { id } }, { every: 10_000 });
  return (
    <Page title={t("node.name", { id })} lead={t("node.lead")}>
      <Loaded query={node}>
        {(data) => (
          <>
            <Figures node={data} share={data.uptime.share} />
            <SickGpus cards={data.session?.sickGpus ?? []} />
            <Panel title={t("node.uptime")} note={t("node.uptime.note")}>
              <Slots id={id} />
            </Panel>
            <div className="columns">
              <Panel title={t("node.offer")}>
                <Offer node={data} lastSeenAt={data.session?.lastSeenAt} block={data.registeredBlock} />
              </Panel>
              <Panel title={t("node.earnings")} note={t("node.earnings.note")}>
                <Earnings id={id} account={data.wallet ?? data.key} />
              </Panel>
            </div>
            <Panel title={t("leases.title")} note={t("leases.note")} flush>
              <Leases id={id} />
            </Panel>
            <Panel title={t("node.measurements")} note={t("node.measurements.note")} flush>
              <Measurements id={id} />
            </Panel>
            <Panel title={t("node.proof")} note={t("node.proof.note")} flush>
              <HardwareProof id={id} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Figures({ node, share }: { node: Node; share: number | null }) {
  const { t, format } = useSettings();
  const { gpu, free, total } = node;
  return (
    <Stats
      figures={[
        {
          name: t("node.status"),
          value: <NodeStatus status={node.status} />,
          of: t(node.connected ? "node.connected" : "node.notConnected"),
        },
        {
          name: t("node.uptime"),
          value: share === null ? t("none") : format.percent(share),
          of: t("node.uptime.of"),
        },
        gpu.count === 0
          ? {
              name: t("node.cpu"),
              value: format.decimal(free.cpu),
              of: t("market.of", { total: format.decimal(total.cpu) }),
            }
          : {
              name: t("node.freeGpus"),
              value: format.count(free.gpus),
              of: t("market.of", { total: format.count(total.gpus) }),
            },
        { name: t("node.price"), value: perHour(node.pricePerSecond) },
      ]}
    />
  );
}

type Card = { code: string; id: string; name: string | null; detail: string };

/** Cards that the node has and does not offer, with what their driver says. */
function SickGpus({ cards }: { cards: readonly Card[] }) {
  const { t } = useSettings();
  return cards.map((card) => (
    <Notice key={card.id} tone="warn" title={t("node.sick", { name: card.name ?? card.id })}>
      <code>{card.code}</code> {card.detail}
    </Notice>
  ));
}

function Offer(given: { node: Node; lastSeenAt: string | undefined; block: string }) {
  const { t, format, language } = useSettings();
  const { gpu, free, total, region, key, wallet } = given.node;
  const of = (left: number, all: number, show: (value: number) => string) =>
    t("node.freeOf", { free: show(left), total: show(all) });
  return (
    <Facts
      facts={[
        [t("node.gpu"), gpu.count === 0 ? t("none") : `${gpu.count} × ${gpu.name ?? gpu.model}`],
        [t("node.vram"), gpu.count === 0 ? null : format.memory(gpu.vramMib)],
        [t("node.compute"), gpu.count === 0 ? null : gpu.computeCapability.toFixed(1)],
        [t("node.cpu"), of(free.cpu, total.cpu, format.decimal)],
        [t("node.memory"), of(free.memoryMib, total.memoryMib, format.memory)],
        [t("node.disk"), of(free.diskGib, total.diskGib, (gib) => format.memory(gib * 1024))],
        [t("node.ports"), of(free.ports, total.ports, format.count)],
        [t("node.region"), regionName(region, language) ?? t("region.undeclared")],
        [t("node.seen"), given.lastSeenAt === undefined ? null : format.ago(given.lastSeenAt)],
        [t("node.key"), <code key="key">{key}</code>],
        [t("node.wallet"), wallet === null ? t("node.wallet.none") : <code key="wallet">{wallet}</code>],
        [t("node.block"), format.count(BigInt(given.block))],
      ]}
    />
  );
}
