import type { Schema } from "@ngpu/api-client/client";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Facts, Meter } from "../../ui/page.tsx";
import type { Workspace } from "./types.ts";

type Stats = Schema<"ReplicaStats">;

/** What each replica uses of what it may use, read on its node. */
export function Use({ workspace }: { workspace: Workspace }) {
  const { t } = useSettings();
  const placed = workspace.replicaList.filter(({ state }) => state === "running");
  if (placed.length === 0) return <Empty>{t("use.none")}</Empty>;
  return (
    <div className="stack">
      {placed.map(({ replica }) => (
        <OfReplica key={replica} id={workspace.id} replica={replica} />
      ))}
    </div>
  );
}

function OfReplica({ id, replica }: { id: string; replica: number }) {
  const query = useStats(id, replica);
  return <Loaded query={query}>{(stats) => <Shown stats={stats} />}</Loaded>;
}

/** What a replica uses now; it is read again while its page is seen. */
export const useStats = (id: string, replica: number) =>
  useRoute(
    "GET /v1/workspaces/{id}/stats",
    { path: { id }, query: { replica: String(replica) } },
    { every: 4_000 },
  );

function Shown({ stats }: { stats: Stats }) {
  const { t, format } = useSettings();
  const { cpu, memory, disk, network, gpus } = stats;
  return (
    <section className="stack" aria-label={`${t("replica.name")} ${stats.replica}`}>
      <h2>
        {t("replica.name")} {stats.replica} · <NodeLink id={stats.nodeId} />
      </h2>
      <Facts
        facts={[
          [
            t("use.cpu"),
            <Meter
              key="cpu"
              share={cpu.limit === null ? 0 : cpu.cores / cpu.limit}
              text={t("use.of", {
                used: format.decimal(cpu.cores),
                limit: cpu.limit === null ? t("none") : format.decimal(cpu.limit),
              })}
            />,
          ],
          [t("use.throttled"), t("seconds", { count: format.decimal(cpu.throttledSeconds) })],
          [
            t("workspace.memory"),
            <Meter
              key="memory"
              share={memory.bytes / memory.limitBytes}
              text={t("use.of", {
                used: format.bytes(memory.bytes),
                limit: format.bytes(memory.limitBytes),
              })}
            />,
          ],
          ...gpus.map((gpu) => [t("node.gpu"), <Gpu key={gpu.id} gpu={gpu} />] as const),
          [t("use.disk"), `${format.bytes(disk.readBytes)} / ${format.bytes(disk.writtenBytes)}`],
          [t("use.network"), `${format.bytes(network.receivedBytes)} / ${format.bytes(network.sentBytes)}`],
          [t("use.processes"), format.count(stats.processes)],
          [t("use.time"), format.time(stats.time)],
        ]}
      />
    </section>
  );
}

function Gpu({ gpu: { percent, memoryBytes, memoryLimitBytes } }: { gpu: Stats["gpus"][number] }) {
  const { t, format } = useSettings();
  if (percent === null) return t("none");
  const memory =
    memoryBytes === null
      ? ""
      : `, ${t("use.of", { used: format.bytes(memoryBytes), limit: memoryLimitBytes === null ? t("none") : format.bytes(memoryLimitBytes) })}`;
  return <Meter share={percent / 100} text={`${format.percent(percent / 100)}${memory}`} />;
}
