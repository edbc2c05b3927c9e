import type { WorkspaceSpec } from "../../../services/shared/chain/workspaceSpec.ts";
import { rest } from "../../../services/shared/loop.ts";
import type { TestMatch } from "../../services/match/setup.ts";
import type { drawsOf } from "./random.ts";

type Open = { id: bigint; spec: WorkspaceSpec; replicas: number };

/** What a replica asks for: a node has room for eight by cores. */
const resources = { gpus: 0, cpuMilli: 1_000, memoryMib: 512, diskGib: 2, ports: 1 };

/** Publishes, scales and closes workspaces one after the other, with never more replicas wanted than there is room for. */
export function createLoad(test: TestMatch, draws: ReturnType<typeof drawsOf>, room: number) {
  const open: Open[] = [];
  const counts = { published: 0, scaled: 0, closed: 0 };
  const wanted = () => open.reduce((sum, { replicas }) => sum + replicas, 0);
  const publish = async () => {
    const replicas = 1 + draws.below(4);
    const policy = draws.below(2);
    const { id, spec } = await test.chain.publish({ policy, graceSeconds: 1, resources }, undefined, replicas);
    open.push({ id, spec, replicas });
    counts.published += 1;
  };
  const change = async () => {
    const workspace = open[draws.below(open.length)];
    if (workspace === undefined) return;
    if (draws.next() < 0.4) {
      const replicas = Math.max(1, Math.min(workspace.replicas + 1, draws.below(5)));
      if (wanted() - workspace.replicas + replicas > room) return;
      await test.chain.scale(workspace.id, replicas);
      workspace.replicas = replicas;
      counts.scaled += 1;
      return;
    }
    await test.chain.close(workspace.id);
    open.splice(open.indexOf(workspace), 1);
    counts.closed += 1;
  };
  return {
    open: () => open,
    counts,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await (wanted() + 4 <= room && draws.next() < 0.6 ? publish() : change());
        await rest(100, signal);
      }
    },
  };
}
