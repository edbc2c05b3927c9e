import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { toJson } from "@ngpu/runtime/json";
import { programEnv } from "../../support/programEnv.ts";
import type { setup } from "../apiServer/setup.ts";
import { startProgram } from "../support/programs.ts";

type SetupOptions = NonNullable<Parameters<typeof setup>[0]>;

/** Starts the API, without rate limits, and the gateway as processes of their own. */
export const apart = {
  startApi: (env) =>
    startProgram({
      name: "apiServer",
      file: "test/chaos/api/server.ts",
      url: `http://127.0.0.1:${env.PORT}`,
      env: { ...env, LOG_LEVEL: "info" },
    }),
  startGateway: (env) =>
    startProgram({
      name: "gateway",
      file: "services/gateway/index.ts",
      url: `http://127.0.0.1:${env.PORT}`,
      env: { ...env, LOG_LEVEL: "info" },
    }),
} satisfies Partial<SetupOptions>;

/** Starts the API as its operator does, with its rate limits. */
export const limited = {
  startApi: (env) =>
    startProgram({
      name: "apiServer",
      file: "services/apiServer/index.ts",
      url: `http://127.0.0.1:${env.PORT}`,
      env: { ...env, LOG_LEVEL: "info" },
    }),
} satisfies Partial<SetupOptions>;

/** What the node's process is sent: the port of a workspace's container. */
export type PortMessage = { workspaceId: string; port: number };

/** What it sends: that its tunnel has opened or closed. */
export type TunnelMessage = { open: number };

/** What it is started with, as JSON. */
export type NodeStart = { name: string; gatewayUrl: string; deployment: Deployment };

export type NodeProcess = {
  /** Number of open tunnels. */
  open: () => number;
  setPort: (message: PortMessage) => void;
  stop: () => Promise<void>;
};

/** Starts the node client's tunnels as a process of their own. */
export function startNodeProcess(given: NodeStart): NodeProcess {
  const child: ChildProcess = fork(join(import.meta.dirname, "nodeProgram.ts"), [toJson(given)], {
    env: programEnv(),
  });
  let open = 0;
  child.on("message", (message: TunnelMessage) => {
    open = message.open;
  });
  return {
    open: () => open,
    setPort: (message) => void child.send(message),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
