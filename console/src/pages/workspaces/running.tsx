import { useSettings } from "../../app/settings.tsx";
import { perHour } from "../../format.ts";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty } from "../../ui/notices.tsx";
import { Facts } from "../../ui/page.tsx";
import { useStats } from "./stats.tsx";
import type { Workspace } from "./types.ts";

type Replica = Workspace["replicaList"][number];

/** The configuration of each replica as its node runs it, beside what was published. */
export function Running({ workspace }: { workspace: Workspace }) {
  const { t } = useSettings();
  const running = workspace.replicaList.filter(({ state }) => state === "running");
  if (running.length === 0) return <Empty>{t("use.none")}</Empty>;
  return running.map((replica) => (
    <OfReplica key={replica.replica} workspace={workspace} replica={replica} />
  ));
}

function OfReplica({ workspace, replica }: { workspace: Workspace; replica: Replica }) {
  const { t, format } = useSettings();
  const stats = useStats(workspace.id, replica.replica).data;
  const { lease, node, pricePerSecond, endpoints } = replica;
  const beside = (has: string, wanted: string) => t("running.beside", { has, wanted });
  return (
    <section className="stack" aria-label={`${t("replica.name")} ${replica.replica}`}>
      <h3>
        {t("replica.name")} {replica.replica}
      </h3>
      <Facts
        facts={[
          [t("replica.node"), node === null ? null : <NodeLink key="node" id={node.id} />],
          [t("running.lease"), lease],
          [
            t("workspace.cpu"),
            stats?.cpu.limit == null
              ? null
              : beside(format.decimal(stats.cpu.limit), format.decimal(workspace.cpu)),
          ],
          [
            t("workspace.memory"),
            stats === undefined
              ? null
              : beside(format.bytes(stats.memory.limitBytes), format.memory(workspace.memoryMib)),
          ],
          [
            t("workspace.gpu"),
            stats === undefined
              ? null
              : beside(format.count(stats.gpus.length), format.count(workspace.gpu.count)),
          ],
          [
            t("replica.price"),
            pricePerSecond === null
              ? null
              : beside(perHour(pricePerSecond), `≤ ${perHour(workspace.maxPricePerSecond)}`),
          ],
          ...endpoints.map(
            ({ containerPort, host, port }) =>
              [
                t("running.port", { port: containerPort }),
                <code key={containerPort}>{`${host}:${port}`}</code>,
              ] as const,
          ),
        ]}
      />
    </section>
  );
}
