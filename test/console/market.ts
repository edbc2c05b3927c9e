import { toJson } from "@ngpu/runtime/json";
import { keccak256, parseEther } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import type { Client } from "../services/apiServer/client.ts";
import { startLeaseNode } from "../services/apiServer/leaseNode.ts";
import { join, runWorkspace } from "../services/apiServer/partner.ts";
import { untilReceiptOf } from "../services/apiServer/receipts.ts";
import { type ApiMarket, setup } from "../services/apiServer/setup.ts";
import type { NodeServer } from "../services/gateway/node.ts";
import { eventually } from "../services/support/context.ts";
import { addNode } from "../services/workspace/chainActions.ts";
import { postEpoch, registerImage } from "../services/workspace/generations.ts";

export type ConsoleMarket = {
  api: ApiMarket;
  account: PrivateKeyAccount;
  apiKey: string;
  workspaceId: string;
  placementId: string;
  taskId: string;
  webhookId: string;
  node: Awaited<ReturnType<typeof startLeaseNode>>;
  /** The container of the workspace. */
  container: string;
  stop: () => Promise<void>;
};

const gpus = [
  { name: "NVIDIA H200", vramMib: 143_771, computeCapability: 90 },
  { name: "NVIDIA GeForce RTX 4090", vramMib: 24_564, computeCapability: 89 },
];

/** A market that a partner uses, with what the pages of the console show. */
export async function openConsoleMarket(): Promise<ConsoleMarket> {
  const api = await setup({ explains: true });
  const account = privateKeyToAccount(generatePrivateKey());
  // Epochs are long: the chain's time passes before the partner's authorization begins.
  await addEpoch(api, account.address);
  for (const [index, gpu] of gpus.entries()) await addNode(api.chain, `gpu ${index}`, 8, gpu);
  const node = await startLeaseNode(serveChat);
  // More cores than those of the other nodes: the workspace fits on this one alone.
  const nodeId = await api.addServingNode("chat", node.serve, 32);
  await registerImage(api.chain, `0x${"ab".repeat(32)}`, "registry.test/chat");
  const { partner } = await join(api, account);
  let decidedAt = 0n;
  const lease = await runWorkspace(api, partner, {
    name: "chat",
    nodeId,
    newWorkspace: { name: "chat", cpu: 9 },
    onDecided: (block) => {
      decidedAt = block;
    },
  });
  const { id: workspaceId } = lease;
  node.run(lease, container);
  for (const [index, line] of ["loading", "ready", "serving at 8080"].entries()) {
    node.output.write(container, BigInt(Date.now() + index) * 1_000_000n, `${line}\n`);
  }
  await api.market.exported();
  await addHistory(api, nodeId);
  const taskId = await runTask(partner, workspaceId);
  await untilReceiptOf(api, partner, taskId);
  const placementId = await addPlacement(api, { workspaceId, nodeId, decidedAt });
  const apiKey = await keyOf(partner);
  const webhookId = await addWebhook(partner);
  const stop = async () => {
    await api.stop();
    node.stop();
  };
  return { api, account, apiKey, workspaceId, placementId, taskId, webhookId, node, container, stop };
}

const container = "c".repeat(64);

/** A task, once the gateway has a way to the replica. */
async function runTask(partner: Client, workspaceId: string): Promise<string> {
  const order = { workspaceId, path: "/", input: { question: "What is a lease?" } };
  return eventually("a task that succeeds", async () => {
    const { status, body } = await partner.post<{ id: string }>("/v1/tasks", order);
    return status === 200 ? body.id : undefined;
  });
}

async function addWebhook(partner: Client): Promise<string> {
  const { body } = await partner.post<{ id: string }>("/v1/webhooks", {
    url: "https://partner.example/ngpu",
  });
  await partner.post(`/v1/webhooks/${body.id}/test`, undefined);
  return body.id;
}

/** A chat model that answers in three pieces. */
const serveChat: NodeServer = (_request, response) => {
  response.setHeader("content-type", "text/event-stream");
  for (const content of ["A lease is ", "a replica given ", "to a node."]) {
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
  }
  response.end("data: [DONE]\n\n");
};

async function keyOf(partner: Client): Promise<string> {
  const { body } = await partner.post<{ apiKey: string }>("/v1/keys", { name: "console" });
  return body.apiKey;
}

/** Heartbeats and a measurement, as autoExport writes them. */
async function addHistory({ db }: ApiMarket, nodeId: number): Promise<void> {
  await db.query(
    `insert into chain.heartbeat_slot (slot, encoding, node_count, bits, block_number)
     select slot, 'bitmap', 3, case when slot % 17 = 0 then '0x03' else '0x07' end, 1000000
     from generate_series(30000000, 30000149) as slot`,
  );
  await db.query(
    `insert into chain.measurement (round_id, node_id, status, draws, draw_block, absent, opens_at, closes_at, submissions,
       down_mbps, up_mbps, latency_tenth_ms, ports_reachable, disk_free_gib, disk_write_mibps, expires_at, block_number)
     values (5, $1, 'finalized', '0x01', 99, false, 100, 200, 1, 912, 407, 125, 1, 50, 310, 4000000000, 1000000)`,
    [nodeId],
  );
}

/** An epoch whose root is on the chain and active, with what pomc keeps of it. */
async function addEpoch(api: ApiMarket, account: string): Promise<void> {
  const others = `0x${"ab".repeat(20)}`;
  const leaves = [
    { account: account.toLowerCase(), cumulative: parseEther("4") },
    { account: others, cumulative: parseEther("1.25") },
  ];
  const { number, root, total, proofs } = await postEpoch(api.chain, 1n, leaves);
  await api.db.query(
    "insert into app.epoch (number, root, total, data_hash, document) values ($1, $2, $3, $4, '{}')",
    [number, root, total, keccak256("0xda")],
  );
  for (const [place, leaf] of leaves.entries()) {
    await api.db.query(
      "insert into app.epoch_leaf (number, account, cumulative, proof) values ($1, $2, $3, $4)",
      [number, leaf.account, leaf.cumulative, toJson(proofs[place])],
    );
  }
}

/** The placement that led to the workspace's lease, as match and dispense record it. */
async function addPlacement(
  { db, chain }: ApiMarket,
  { workspaceId, nodeId, decidedAt }: { workspaceId: string; nodeId: number; decidedAt: bigint },
): Promise<string> {
  const { hash } = await chain.client.getBlock({ blockNumber: decidedAt });
  const { rows } = await db.query<{ request_id: string }>(
    `insert into app.placement (request_id, workspace_id, replica, excluded, status, block_number, block_hash, position,
       node_id, ranking, refusals, assign_tx, requested_at, answered_at)
     values (gen_random_uuid(), $1, 0, '{}', 'used', $2, $3, 0, $4, $5, $6, $7, now() - interval '1 minute', now())
     returning request_id`,
    [
      workspaceId,
      decidedAt,
      hash,
      nodeId,
      JSON.stringify([{ nodeId, price: "1000" }]),
      JSON.stringify({ counts: { cpuMilli: 2 }, nearest: null }),
      `0x${"12".repeat(32)}`,
    ],
  );
  return rows[0]?.request_id ?? "";
}
