import { useSettings } from "../../app/settings.tsx";
import { perHour, regionName } from "../../format.ts";
import { Code, Facts, Panel } from "../../ui/page.tsx";
import { Running } from "./running.tsx";
import type { Workspace } from "./types.ts";
import { Update } from "./update.tsx";

/** What was published, what runs, and what can be changed. */
export function Configuration({ workspace }: { workspace: Workspace }) {
  const { t } = useSettings();
  const { published, status } = workspace;
  const isOpen = status !== "closed" && status !== "expired";
  return (
    <div className="stack">
      <div className="columns">
        <Panel title={t("configuration.published")} note={t("workspace.inBlock", { block: published.block })}>
          <Published workspace={workspace} />
        </Panel>
        <Panel title={t("configuration.running")} note={t("configuration.running.note")}>
          <Running workspace={workspace} />
        </Panel>
      </div>
      {isOpen ? (
        <Panel title={t("update.title")} note={t("update.note")}>
          {/* What was published meanwhile is what is changed. */}
          <Update key={JSON.stringify([workspace.config, workspace.image])} workspace={workspace} />
        </Panel>
      ) : null}
    </div>
  );
}

function Published({ workspace }: { workspace: Workspace }) {
  const { t, format, language } = useSettings();
  const { gpu, cpu, memoryMib, diskGib, region, policy, graceSeconds, published } = workspace;
  return (
    <div className="stack">
      <Facts
        facts={[
          [t("workspace.image"), <code key="image">{workspace.image}</code>],
          [t("workspace.gpu"), gpu.count === 0 ? t("none") : gpuText(gpu, format.memory)],
          [t("workspace.cpu"), format.decimal(cpu)],
          [t("workspace.memory"), format.memory(memoryMib)],
          [t("workspace.disk"), format.memory(diskGib * 1024)],
          [t("node.region"), regionName(region, language) ?? t("region.any")],
          [t("workspace.policy"), t(`policy.${policy}`)],
          [t("workspace.grace"), t("seconds", { count: format.count(graceSeconds) })],
          [t("workspace.highest"), `${perHour(workspace.maxPricePerSecond)} ${t("price.hour")}`],
          [
            t("workspace.expires"),
            workspace.expiresAt === null ? t("never") : format.time(workspace.expiresAt),
          ],
          [t("workspace.authorization"), workspace.authorizationId],
          [t("workspace.transaction"), <code key="tx">{published.txHash}</code>],
        ]}
      />
      <Code>{JSON.stringify(workspace.config, null, 2)}</Code>
    </div>
  );
}

function gpuText({ count, model, minVramMib }: Workspace["gpu"], memory: (mib: number) => string): string {
  const least = minVramMib === 0 ? "" : ` ≥ ${memory(minVramMib)}`;
  return `${count} × ${model ?? "GPU"}${least}`;
}
