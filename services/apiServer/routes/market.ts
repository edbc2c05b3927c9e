import type { Presence } from "@ngpu/protocol/presence";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { type ApiDeps, apiVersion } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { measurementOf } from "../measurementView.ts";
import { nextAfter } from "../paging.ts";
import { nodeIdText, workspaceIdText } from "../schemas/common.ts";
import { measurementEntry, networkAnswer, nodeAnswer, nodeList, nodesQuery } from "../schemas/market.ts";
import {
  findNode,
  findPresence,
  findSession,
  listNodes,
  type NodeRow,
  type SessionRow,
} from "../store/market.ts";
import { findMeasurement, lastMeasurement } from "../store/measurements.ts";

/** Number of newest heartbeat slots that the uptime of a shown node covers. */
const shownSlots = 1_440;

export function marketRoutes(deps: ApiDeps): Endpoint[] {
  return [network(deps), nodes(deps), node(deps), measurement(deps)];
}

const network = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/network",
      tag: "Market",
      summary: "Show the settings a node client needs to join",
      access: "public",
      answer: networkAnswer,
    },
    async () => ({
      chainId: deps.deployment.chainId,
      ...deps.network,
      deployment: deps.deployment,
      apiVersion,
    }),
  );

const nodes = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/nodes",
      tag: "Market",
      summary: "List compute nodes",
      access: "public",
      query: nodesQuery,
      answer: nodeList,
    },
    async ({ query: { wallet, ...query } }) => {
      const rows = await listNodes(db, query.limit, { after: query.after ?? "0", wallet });
      return { nodes: rows.map(nodeHead), next: nextAfter(rows, query.limit, (row) => String(row.id)) };
    },
  );

const node = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/nodes/:id",
      tag: "Market",
      summary: "Show a compute node",
      access: "public",
      params: z.object({ id: nodeIdText }),
      answer: nodeAnswer,
    },
    async ({ params }) => {
      const id = Number(params.id);
      const row = await findNode(db, id);
      if (row === undefined) {
        throw new InputError(`There is no node ${id}.`, {
          code: "node_not_found",
          hint: "GET /v1/nodes lists the nodes.",
          status: 404,
        });
      }
      const [measured, session, presence] = await Promise.all([
        lastMeasurement(db, id),
        findSession(db, id),
        findPresence(db, id, shownSlots),
      ]);
      return {
        ...nodeHead(row),
        registeredBlock: row.registered_block,
        measurement: measured === undefined ? null : measurementOf(measured),
        uptime: uptimeOf(presence),
        session: session === undefined ? null : sessionOf(session),
      };
    },
  );

function uptimeOf({ presentSlots, totalSlots }: Presence) {
  return {
    slots: totalSlots,
    present: presentSlots,
    share: totalSlots === 0 ? null : presentSlots / totalSlots,
  };
}

function sessionOf(session: SessionRow) {
  return {
    instance: session.instance,
    connectedAt: session.connected_at.toISOString(),
    lastSeenAt: session.last_seen_at.toISOString(),
    cpuLoad: session.cpu_load,
    freeDiskGib: session.free_disk_gib,
    running: session.running.length,
    sickGpus: session.sick_gpus,
  };
}

const measurement = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/measurements/:id",
      tag: "Market",
      summary: "Show a measurement round",
      access: "public",
      params: z.object({ id: workspaceIdText.meta({ description: "Round id" }) }),
      answer: measurementEntry,
    },
    async ({ params }) => {
      const row = await findMeasurement(db, params.id);
      if (row !== undefined) return measurementOf(row);
      throw new InputError(`There is no measurement ${params.id}.`, {
        code: "measurement_not_found",
        hint: "Check the id of the measurement.",
        status: 404,
      });
    },
  );

function nodeHead(row: NodeRow) {
  return {
    id: row.id,
    key: row.key,
    wallet: row.wallet,
    nominatedWallet: row.nominated_wallet,
    status: row.status,
    region: row.region,
    gpu: {
      name: row.gpu_name === "" ? null : row.gpu_name,
      model: row.gpu_count === 0 ? null : row.gpu_model,
      count: row.gpu_count,
      vramMib: row.vram_mib,
      computeCapability: row.compute_capability / 10,
      sharedWith: row.shares_gpus_with,
    },
    total: {
      gpus: row.gpu_count,
      cpu: row.cpu_milli / 1000,
      memoryMib: row.memory_mib,
      diskGib: row.disk_gib,
      ports: row.ports,
    },
    free: {
      gpus: row.gpu_count - row.used_gpus,
      cpu: (row.cpu_milli - row.used_cpu_milli) / 1000,
      memoryMib: row.memory_mib - row.used_memory_mib,
      diskGib: row.disk_gib - row.used_disk_gib,
      ports: row.ports - row.used_ports,
    },
    pricePerSecond: String(row.price_per_second),
    connected: row.connected,
    tier: row.tier,
  };
}
