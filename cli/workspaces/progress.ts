import { setTimeout as sleep } from "node:timers/promises";
import type { Schema } from "@ngpu/api-client/client";
import { endWith } from "../shared/exitCodes.ts";
import { json, note, print } from "../shared/output.ts";
import { partnerApi, type Settings } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { reasonLines } from "./describe.ts";
import { ended } from "./find.ts";

type Workspace = Schema<"Workspace">;

const interval = 1_000;

/**
 * Waits until all replicas of a workspace run and prints what happens until then. The exit code is 3 when it fails, 4 when the
 * time is over, 130 after Ctrl-C. The workspace stays as it is.
 */
export async function waitUntilRunning(settings: Settings, id: string, seconds: number): Promise<void> {
  const stop = performance.now() + seconds * 1000;
  const done = await untilInterrupted(async (signal) => {
    const api = partnerApi(settings, signal);
    const printed = new Map<string, string>();
    for (;;) {
      const workspace = await api.call("GET /v1/workspaces/{id}", { path: { id } });
      showChanges(workspace, printed);
      if (isOver(workspace)) return report(settings, workspace);
      if (performance.now() > stop) {
        endWith("timeout");
        note(
          `Workspace ${id} does not run after ${seconds} s. It stays published; ngpu describe ${id} shows why.`,
        );
        return settings.json ? print(json(workspace)) : undefined;
      }
      await sleep(interval, undefined, { signal });
    }
  });
  if (!done) note(`Workspace ${id} stays published; ngpu describe ${id} shows it, ngpu rm ${id} closes it.`);
}

const isRunning = ({ status, replicas }: Workspace) =>
  status === "running" && replicas.running >= replicas.wanted;

const isOver = (workspace: Workspace) =>
  isRunning(workspace) || workspace.status === "failed" || ended.includes(workspace.status);

function report(settings: Settings, workspace: Workspace): void {
  if (!isRunning(workspace)) endWith("workload");
  print(settings.json ? json(workspace) : reportText(workspace));
}

function reportText(workspace: Workspace): string {
  const { id, name, status, reason, replicas, replicaList } = workspace;
  if (!isRunning(workspace)) {
    return [`Workspace ${id}: ${status}.`, ...(reason === null ? [] : reasonLines(reason))].join("\n");
  }
  const nodes = replicaList.flatMap(({ node }) => (node === null ? [] : [node.id])).join(", ");
  const own = name ?? id;
  return [
    `Workspace ${id} runs: ${replicas.running} of ${replicas.wanted} replicas, on node ${nodes}.`,
    `Next: ngpu chat ${own}, ngpu run ${own}, ngpu rm ${own}`,
  ].join("\n");
}

/** Notes each state of a replica that is new, with the progress of a download in steps of 10%. */
function showChanges({ replicaList }: Workspace, printed: Map<string, string>): void {
  for (const { replica, node, reason, percent } of replicaList) {
    const place = node === null ? "" : ` on node ${node.id}`;
    const progress =
      percent === null || reason?.code !== "image_downloading" ? "" : ` ${10 * Math.floor(percent / 10)}%`;
    const text = reason === null ? "runs." : `${reason.message}${progress} (${reason.code})`;
    const line = `Replica ${replica}${place}: ${text}`;
    if (printed.get(String(replica)) === line) continue;
    printed.set(String(replica), line);
    note(`${new Date().toISOString().slice(11, 19)}  ${line}`);
  }
}
