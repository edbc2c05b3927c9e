import { toJson } from "@ngpu/runtime/json";
import { keccak256, parseEther } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import type { Client } from "../services/apiServer/client.ts";
import { join, runWorkspace } from "../services/apiServer/partner.ts";
import { type ApiMarket, setup } from "../services/apiServer/setup.ts";
import type { NodeServer } from "../services/gateway/node.ts";
import { addNode } from "../services/workspace/chainActions.ts";
import { postEpoch } from "../services/workspace/generations.ts";

export type ConsoleMarket = {
  api: ApiMarket;
  account: PrivateKeyAccount;
  apiKey: string;
  workspaceId: string;
  placementId: string;
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
  const nodeId = await api.addServingNode("chat", serveChat, 8);
  const { partner } = await join(api, account);
  const { id: workspaceId } = await runWorkspace(api, partner, {
    name: "chat",
    nodeId,
    newWorkspace: { name: "chat" },
  });
  await api.market.exported();
  await addHistory(api, nodeId);
  const placementId = await addPlacement(api, workspaceId, nodeId);
  const apiKey = await keyOf(partner);
  return { api, account, apiKey, workspaceId, placementId, stop: api.stop };
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

async function addPlacement({ db }: ApiMarket, workspaceId: string, nodeId: number): Promise<string> {
  const { rows } = await db.query<{ request_id: string }>(
    `insert into app.placement (request_id, workspace_id, replica, excluded, status, block_number, block_hash, position,
       node_id, ranking, refusals, requested_at, answered_at)
     values (gen_random_uuid(), $1, 0, '{}', 'used', 12, '0xabcd', 0, $2, $3, $4, now() - interval '1 minute', now())
     returning request_id`,
    [
      workspaceId,
      nodeId,
      JSON.stringify([{ nodeId, price: "1000" }]),
      JSON.stringify({ counts: { price: 2 }, nearest: null }),
    ],
  );
  return rows[0]?.request_id ?? "";
}
