import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { RunningProcess } from "../../../scripts/embedded/process.ts";
import type { ApiEnv } from "../../../services/apiServer/env.ts";
import type { Client } from "../../services/apiServer/client.ts";
import { startLeaseNode } from "../../services/apiServer/leaseNode.ts";
import { join, newWorkspace, runWorkspace } from "../../services/apiServer/partner.ts";
import { type ApiMarket, setup } from "../../services/apiServer/setup.ts";
import { echo } from "../../services/gateway/node.ts";
import { startProgram } from "../../services/support/programs.ts";
import { privateKeyOf } from "../../services/workspace/chain.ts";
import type { Facts } from "./requests.ts";

/** Memory that the server's objects may take, in MiB. With more, Node ends it. */
export const heapLimitMib = 256;

export type FuzzMarket = { api: ApiMarket; server: RunningProcess; facts: Facts };

/** A market whose apiServer is a process of its own, with a bounded heap, and one running workspace. */
export async function openFuzzMarket(): Promise<FuzzMarket> {
  const started: { server?: RunningProcess } = {};
  const api = await setup({
    explains: true,
    faucetKey: privateKeyOf("relayer"),
    startApi: async (env) => {
      started.server = await startServer(env);
      return started.server;
    },
  });
  const { server } = started;
  if (server === undefined) throw new Error("apiServer was not started.");
  const node = await startLeaseNode(echo("fuzz"));
  const stop = async () => {
    await api.stop();
    node.stop();
  };
  return { api: { ...api, stop }, server, facts: await factsOf(api, node) };
}

const startServer = (env: ApiEnv): Promise<RunningProcess> =>
  startProgram({
    name: "apiServer",
    file: "test/chaos/api/server.ts",
    nodeArgs: [`--max-old-space-size=${heapLimitMib}`],
    env: { ...env, LOG_LEVEL: "error" },
    url: `http://127.0.0.1:${env.PORT}`,
  });

/** @param node A node whose container answers tasks, and which answers for lines, commands and use by the client's code. */
async function factsOf(api: ApiMarket, node: Awaited<ReturnType<typeof startLeaseNode>>): Promise<Facts> {
  const account = privateKeyToAccount(generatePrivateKey());
  const { partner, authorizationId } = await join(api, account, "100");
  const nodeId = await api.addServingNode("fuzz", node.serve);
  const { id: running } = await runWorkspace(api, partner, { name: "fuzz", nodeId });
  const container = "f".repeat(64);
  node.run({ workspaceId: BigInt(running), replica: 0, lease: 1 }, container);
  node.output.write(container, BigInt(Date.now()) * 1_000_000n, "ready\n");
  const spare = await partner.post<{ id: string }>("/v1/workspaces", { ...newWorkspace, name: "spare" });
  const task = await partner.post<{ id: string }>("/v1/tasks", { workspaceId: running, path: "/" });
  const { body: key } = await partner.post<{ apiKey: string }>("/v1/keys", { name: "fuzz" });
  const hook = await partner.post<{ id: string }>("/v1/webhooks", { url: "http://127.0.0.1:9/hook" });
  const file = await uploadFile(partner);
  const digest = `sha256:${"cd".repeat(32)}`;
  return {
    apiKey: key.apiKey,
    samples: {
      workspaceId: [running],
      model: [running, `ws-${running}`, "spare"],
      authorizationId: [authorizationId],
      image: [newWorkspace.image],
      digest: [digest],
      reference: ["127.0.0.1:9/x"],
      signature: [`0x${"11".repeat(65)}`],
      address: [account.address],
      wallet: [account.address],
      owner: [account.address.toLowerCase()],
      path: ["/", "/v1/chat?a=b"],
      number: ["1"],
      maxPricePerSecond: ["1000000"],
      ports: [[8080]],
      expiresAt: ["2040-01-01T00:00:00Z"],
      "x-ngpu-timeout": [5],
      "x-ngpu-total-timeout": [5],
      timeoutSeconds: [5],
      totalTimeoutSeconds: [5],
      url: ["http://127.0.0.1:9/hook"],
      maxSeconds: [1],
      messages: [[{ role: "user", content: "x" }]],
    },
    byPath: {
      // Orders change the workspace that nothing runs on.
      "/v1/workspaces": { id: [spare.body.id] },
      "/v1/tasks": { id: [task.body.id] },
      "/v1/webhooks": { id: [hook.body.id] },
      "/v1/webhook-events": { wait: [0] },
      "/v1/files": { id: [file.body.id] },
      "/v1/batches": { id: [`batch_${"0".repeat(24)}`] },
      "/v1/nodes": { id: [String(nodeId)] },
    },
  };
}

async function uploadFile(partner: Client): Promise<{ body: { id: string } }> {
  const form = new FormData();
  form.set("purpose", "user_data");
  form.set("file", new Blob(["a"]), "a");
  const answer = await partner.raw("/v1/files", { method: "POST", body: form });
  return { body: (await answer.json()) as { id: string } };
}
