import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { rest } from "@ngpu/runtime/loop";
import { chatHandler } from "../../../images/chat/app.ts";
import { loadModel, modelId } from "../../../images/chat/text.ts";
import type { NodeServer } from "../gateway/node.ts";
import { privateKeyOf } from "../workspace/chain.ts";
import { startLeaseNode } from "./leaseNode.ts";
import { bringUp, newWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

/** A market that the commands of a page of documentation meet: it has a faucet, and one node that runs every workspace. */
export async function openDocsMarket() {
  const api = await setup({
    limits: { signIn: 1_000, perKey: 100_000 },
    explains: true,
    faucetKey: privateKeyOf("treasury"),
    templates: [
      {
        name: "chat",
        title: "A small chat model",
        description: "Chats.",
        workspace: { ...newWorkspace, name: "chat" },
      },
    ],
  });
  const chat = await startChat();
  const node = await startLeaseNode(chat.serve);
  const nodeId = await api.addServingNode("docs", node.serve, 16);
  const ended = new AbortController();
  const keeper = runAllWorkspaces(api, { nodeId, node }, ended.signal);
  const stop = async () => {
    ended.abort();
    await keeper;
    await api.stop();
    node.stop();
    chat.stop();
  };
  return { api, chat: chat.state, stop };
}

/** The market's own chat server, as in its image; while it fails, every request gets 500. */
async function startChat() {
  const state = { fails: false };
  const options = { tokensPerSecond: 0, maxConcurrent: 32, maxBodyBytes: 1 << 20 };
  const chat = chatHandler({ ...loadModel(), ...options, modelId, created: Math.floor(Date.now() / 1000) });
  const server = createServer((request, response) => {
    if (!state.fails) return chat(request, response);
    request.resume();
    response.writeHead(500, { "content-type": "application/json" }).end('{"error":"out of order"}');
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const serve: NodeServer = (incoming, outgoing) => {
    const { "content-type": type = "application/json" } = incoming.headers;
    const passed = request({
      // The node's client takes the lease from the path.
      path: incoming.url?.replace(/^\/w\/\d+\/\d+\/\d+/, ""),
      port,
      host: "127.0.0.1",
      method: incoming.method,
      headers: { "content-type": type },
    });
    passed.once("response", (answer) => {
      const { "content-type": answered = "text/plain" } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, { "content-type": answered });
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  };
  return { state, serve, stop: () => server.close().closeAllConnections() };
}

/** Acts as the rest of the market: assigns and runs every open workspace. */
async function runAllWorkspaces(
  api: ApiMarket,
  { nodeId, node }: { nodeId: number; node: Awaited<ReturnType<typeof startLeaseNode>> },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { rows } = await api.db.query<{ id: string }>(
      `select workspace_id::text as id from chain.workspace
       where status = 'open' and workspace_id not in (select workspace_id from chain.assignment)`,
    );
    for (const { id } of rows) {
      const container = id.padStart(64, "0");
      const lease = await bringUp(api, id, { name: "docs", nodeId });
      node.run(lease, container);
      node.output.write(container, BigInt(Date.now()) * 1_000_000n, "ready\n");
    }
    await rest(100, signal);
  }
}
