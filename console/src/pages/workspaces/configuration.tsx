import { useSettings } from "../../app/settings.tsx";
import { perHour, regionName } from "../../format.ts";
import { Code, Facts } from "../../ui/page.tsx";
import type { Workspace } from "./types.ts";

/** What was published: the resources, and the configuration as it is on the chain. */
export function Configuration({ workspace }: { workspace: Workspace }) {
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
          [t("workspace.published"), t("workspace.inBlock", { block: published.block })],
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
