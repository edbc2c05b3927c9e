import { createLogger } from "@ngpu/runtime/logger";
import { createTunnels } from "../../../node-client/tunnels.ts";
import { nodeKey } from "../workspace/chain.ts";
import type { NodeStart, PortMessage, TunnelMessage } from "./processes.ts";

/** A program: the tunnels of a node client. Its argument is a NodeStart; its parent sends it ports. */

const { name, gatewayUrl, deployment } = JSON.parse(process.argv[2] ?? "{}") as NodeStart;
const ports = new Map<string, number>();
const tell = () => process.send?.({ open: tunnels.open() } satisfies TunnelMessage);
process.on("message", ({ workspaceId, port }: PortMessage) => ports.set(workspaceId, port));
process.on("disconnect", () => process.exit());

const tunnels = createTunnels({
  account: nodeKey(name),
  deployment,
  portOf: (lease) => ports.get(lease.split("/")[0] ?? ""),
  logger: createLogger("node", "info", {
    write: (line: string) => {
      // The tunnel is counted after this line.
      if ((JSON.parse(line) as { event: string }).event.startsWith("tunnel_")) setImmediate(tell);
    },
  }),
  signal: new AbortController().signal,
});
tunnels.setGateways([gatewayUrl]);
