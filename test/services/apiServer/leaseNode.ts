import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import { openEngine } from "../../../node-client/docker/engine.ts";
import type { LeaseRef } from "../../../node-client/leases.ts";
import { createNodeRequests } from "../../../node-client/nodeRequests.ts";
import type { Container } from "../../../node-client/reconcileFacts.ts";
import { startOutputEngine } from "../../support/outputEngine.ts";
import type { NodeServer } from "../gateway/node.ts";

/** A node that serves its own requests by the client's code, for containers whose output the test writes. */
export async function startLeaseNode(serveTasks: NodeServer) {
  const dir = mkdtempSync(join(tmpdir(), "ngpu-lease-node-"));
  const socket = join(dir, "engine.sock");
  const output = await startOutputEngine(socket);
  const leases = new Map<string, Container>();
  let stop = new AbortController();
  const keyOf = ({ workspaceId, replica }: LeaseRef) => `${workspaceId}/${replica}`;
  const start = () =>
    createNodeRequests({
      engine: openEngine({ socket, market: "00000000", node: "0x" }),
      current: (lease) => {
        const container = leases.get(keyOf(lease));
        return container?.lease === lease.lease ? { container } : undefined;
      },
      logger: createLogger("node", process.env.TEST_LOG_LEVEL ?? "silent"),
      signal: stop.signal,
    });
  let requests = start();
  const serve: NodeServer = (incoming, outgoing) => {
    if (requests.answer(incoming.stream as never, incoming.url ?? "/")) return undefined;
    return serveTasks(incoming, outgoing);
  };
  return {
    output,
    serve,
    requests: () => requests,
    /** Ends the client's process and starts another. */
    restart: () => {
      stop.abort();
      stop = new AbortController();
      requests = start();
    },
    /** Gives the lease a running container. */
    run: (ref: { workspaceId: bigint; replica: number; lease: number }, id: string) => {
      const container: Container = {
        ...ref,
        id,
        fence: "0x" as Hex,
        status: "running",
        exitCode: 0,
        oomKilled: false,
        error: "",
        startedAt: 0,
        finishedAt: 0,
        ports: {},
        servedPort: undefined,
        gpuUuids: [],
      };
      leases.set(keyOf(ref), container);
    },
    stop: () => {
      stop.abort();
      output.stop();
      rmSync(dir, { recursive: true });
    },
  };
}
