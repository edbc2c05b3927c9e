import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import { rest } from "@ngpu/runtime/loop";
import type { TestMatch } from "../../services/match/setup.ts";
import type { drawsOf } from "./random.ts";

type Open = { id: bigint; spec: WorkspaceSpec; replicas: number };

/** Resources of a replica: a node's cores are enough for eight. */
const resources = { gpus: 0, cpuMilli: 1_000, memoryMib: 512, diskGib: 2, ports: 1 };

const partners = 3;

/** Publishes, scales and closes workspaces concurrently, with at most `maxReplicas` replicas in total. */
export function createLoad(test: TestMatch, draws: ReturnType<typeof drawsOf>, maxReplicas: number) {
  const open: Open[] = [];
  const counts = { published: 0, scaled: 0, closed: 0 };
  let wanted = 0;
  const publish = async () => {
    const replicas = 1 + draws.below(4);
    wanted += replicas;
    const policy = draws.below(2);
    const { id, spec } = await test.chain.publish(
      { policy, graceSeconds: 1, resources },
      undefined,
      replicas,
    );
    open.push({ id, spec, replicas });
    counts.published += 1;
  };
  const change = async () => {
    // Removed from the list meanwhile, so that no two partners change the same workspace.
    const [workspace] = open.splice(draws.below(open.length), 1);
    if (workspace === undefined) return;
    const replicas = 1 + draws.below(4);
    const more = replicas - workspace.replicas;
    if (draws.next() < 0.4 && wanted + more <= maxReplicas) {
      wanted += more;
      await test.chain.scale(workspace.id, replicas);
      open.push({ ...workspace, replicas });
      counts.scaled += 1;
      return;
    }
    await test.chain.close(workspace.id);
    wanted -= workspace.replicas;
    counts.closed += 1;
  };
  const act = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      await (wanted + 4 <= maxReplicas && draws.next() < 0.6 ? publish() : change());
      await rest(100, signal);
    }
  };
  return {
    open: () => open,
    counts,
    run: async (signal: AbortSignal): Promise<void> => {
      await Promise.all(Array.from({ length: partners }, () => act(signal)));
    },
  };
}
