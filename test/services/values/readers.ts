import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { decide } from "@ngpu/placement/decide";
import { decideByIndex } from "@ngpu/placement/decideByIndex";
import type { FleetNode } from "@ngpu/placement/fleet";
import { createFleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { strategyOf } from "@ngpu/placement/preferences";
import { readChanges, readHead, readNodes, readUptimes } from "@ngpu/queries/fleet";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import { readWanted } from "@ngpu/queries/wanted";
import { loadSpecs } from "@ngpu/queries/workspaceSpecs";
import { closeEpoch } from "@ngpu/rewards/close";
import { windowOf } from "@ngpu/rewards/epochs";
import { currentRewardContract } from "@ngpu/rewards/rewardContracts";
import { uptimeLeaves } from "@ngpu/rewards/uptime";
import { createLogger } from "@ngpu/runtime/logger";
import { createKey } from "../../../services/apiServer/access.ts";
import { createApiApp } from "../../../services/apiServer/app.ts";
import type { ApiDeps } from "../../../services/apiServer/deps.ts";
import { createMatchClient } from "../../../services/apiServer/matchClient.ts";
import { insertKey } from "../../../services/apiServer/store/keys.ts";
import { decidePlacements } from "../../../services/dispense/decide.ts";
import { followProgress } from "../../../services/dispense/replacements.ts";
import { loadPlacementFacts, unplaced } from "../../../services/dispense/store.ts";
import { findNodeId, findRunningReplicas } from "../../../services/gateway/store.ts";
import { heldLeases, readOnline, readUnreachable } from "../../../services/match/failover/lossStore.ts";
import * as orders from "../../../services/match/measurement/measureOrders.ts";
import * as measure from "../../../services/match/measurement/measureStore.ts";
import { openRounds, overdueRounds } from "../../../services/match/measurement/openRoundStore.ts";
import * as prefetch from "../../../services/match/prefetch/store.ts";
import { createFleetSync } from "../../../services/match/scheduling/fleetSync.ts";
import { subjectIds } from "../../../services/match/sessions/sessionStore.ts";
import { epochToPost, owedByPrevious } from "../../../services/pomc/epochStore.ts";
import { epochFacts } from "../../../services/pomc/facts/index.ts";
import { lastBlockBefore, safeTime } from "../../../services/pomc/store.ts";
import { leasesToSettle, servedTasks } from "../../../services/pomc/taskReceipts/store.ts";
import { dayFacts } from "../../../services/pomc/uptime/store.ts";
import { decide as decideSteps } from "../../../services/workspace/decide.ts";
import { findDue } from "../../../services/workspace/due.ts";
import { loadFacts } from "../../../services/workspace/store.ts";
import { testGenerations } from "../../packages/chain-reader/scriptedChain.ts";
import { deploymentDocument } from "../support/deployment.ts";
import { outsider } from "./abiValues.ts";

// The events are of the second generation.
const deployment = parseDeployment({ ...deploymentDocument, previous: testGenerations.previous });
const { parameters } = deployment;
const waveProofs = createWaveProofs(parameters.waves);
const silent = createLogger("test", "silent");
const limits = {
  replicas: 8,
  source: 8,
  attempts: 3,
  attemptsWindow: 60,
  pause: 60,
  avoidRefused: 60,
  avoidReplaced: 60,
};
const deadlines = new Proxy({} as Parameters<typeof followProgress>[0]["deadlines"], {
  get: () => Number.MAX_SAFE_INTEGER,
});

const terms = { startSeconds: 3_600, restSeconds: 60 };

/** The parts of the market that belong to others than the outsider. */
export type Healthy = { owner: string; nodes: number[]; workspaces: bigint[] };

/** Reads as every service does, and returns what it says of the healthy parts. Throws when a service could not go on. */
export async function readAll(
  db: Database,
  { nodes, workspaces, owner }: Healthy,
  others: readonly number[],
): Promise<unknown> {
  const isHealthy = (nodeId: number) => nodes.includes(nodeId);
  const all = [...workspaces, ...others.map(BigInt)];
  const steps = [];
  for (const id of all) steps.push(await stepsOf(db, id));
  await loadSpecs(db, all);
  return {
    placements: await placements(db, { nodes, workspaces, owner }, all),
    match: await readMatch(db, nodes, others),
    due: (await findDue(db, terms)).filter((id) => workspaces.includes(id)),
    steps: steps.slice(0, workspaces.length),
    unplaced: (await unplaced(db)).filter((id) => workspaces.includes(id)),
    replicas: (await findRunningReplicas(db)).filter(({ nodeId }) => isHealthy(nodeId)),
    nodeId: await findNodeId(db, `0x${"0".repeat(39)}1`),
    rewards: await readRewards(db, isHealthy),
  };
}

async function stepsOf(db: Database, workspaceId: bigint) {
  const loaded = await loadFacts(db, workspaceId, terms);
  const placing = await loadPlacementFacts(db, workspaceId, limits);
  return [
    loaded === null ? null : decideSteps(loaded.facts),
    placing === null ? null : decidePlacements(placing).slice(0, 10),
  ];
}

/** The fleet index and brute force agree for every workspace. Only healthy nodes are eligible: the others may be cheap. */
async function placements(db: Database, healthy: Healthy, workspaceIds: readonly bigint[]) {
  const block = await readHead(db);
  const fleet = await readNodes(db, block, null, {
    uptimes: await readUptimes(db, block),
    proofs: await waveProofs.upTo(db, block.number),
  });
  await readChanges(db, { ...block, number: 0n }, block, parameters.waves);
  const { index } = await createFleetSync(db, parameters.waves)();
  const excluded = fleet.map(({ nodeId }) => nodeId).filter((nodeId) => !healthy.nodes.includes(nodeId));
  const answers = [];
  for (const workspace_id of workspaceIds) {
    const wanted = await readWanted(db, { workspace_id, excluded }, block, "any");
    if (wanted === undefined) continue;
    const strategy = strategyOf(wanted.preferences);
    for (const skipped of [excluded, []]) {
      const request = { ...wanted.request, excluded: skipped, position: 0 };
      const byIndex = decideByIndex(index, request, strategy);
      const brute = decide({ block, nodes: fleet }, request, strategy);
      if (!isDeepStrictEqual(byIndex, brute)) {
        throw new Error(
          `The index differs for workspace ${workspace_id}: ${JSON.stringify([byIndex, brute], plain)}`,
        );
      }
      if (skipped === excluded && healthy.workspaces.includes(workspace_id))
        answers.push({ ...brute, refusals: {} });
    }
  }
  createFleetIndex(fleet);
  return { answers, fleet: fleet.filter(({ nodeId }) => healthy.nodes.includes(nodeId)).map(comparable) };
}

const plain = (_name: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
const comparable = (node: FleetNode) => ({ ...node, images: [...node.images] });

async function readMatch(db: Database, nodes: number[], others: readonly number[]) {
  const { time } = await readHead(db);
  const absences = [...nodes, ...others].map((nodeId) => ({
    nodeId,
    signal: "session" as const,
    unreachableMs: 1,
  }));
  await Promise.all([
    measure.readMeasurers(db, false),
    measure.roundsToDraw(db, time),
    openRounds(db),
    overdueRounds(db, time),
    orders.pendingProbeOrders(db),
    orders.pendingMeasureOrders(db),
    prefetch.readPopular(db, 0n, 100),
    prefetch.readLeaseTransfers(db),
    prefetch.pendingPrefetchOrders(db),
    readOnline(db),
    heldLeases(db, [...others]),
    subjectIds(db, "node", [outsider], { measurers: 0 }),
  ]);
  const unreachable = await readUnreachable(db, absences as Parameters<typeof readUnreachable>[1]);
  return {
    measurable: (await measure.measurableNodes(db, time)).filter(({ node_id }) => nodes.includes(node_id)),
    unreachable: unreachable.filter(({ nodeId }) => nodes.includes(nodeId)),
    held: await heldLeases(db, nodes),
  };
}

async function readRewards(db: Database, isHealthy: (nodeId: number) => boolean) {
  const { time } = await readHead(db);
  const asOf = (await lastBlockBefore(db, time + 1)) as NonNullable<
    Awaited<ReturnType<typeof lastBlockBefore>>
  >;
  const number = Math.floor((time - parameters.genesis) / parameters.epochSeconds) + 1;
  const contract = currentRewardContract(deployment);
  const window = windowOf(number, parameters);
  const before = { number: number - 1, granted: new Map(), bonds: new Map(), throughDay: null };
  const facts = await epochFacts(db, { deployment, proofs: waveProofs, pomc: contract, window, before });
  closeEpoch({ window, schedule: contract, facts, before });
  await Promise.all([safeTime(db), epochToPost(db, contract), owedByPrevious(db, contract)]);
  await Promise.all([leasesToSettle(db), servedTasks(db, 10)]);
  const day = BigInt(Math.floor(time / parameters.daySeconds));
  uptimeLeaves(await dayFacts(db, day, asOf, parameters));
  await followProgress({ pool: db, deadlines, batchSize: 10, deployment, logger: silent } as never);
  return facts.nodes.filter(({ nodeId }) => isHealthy(nodeId));
}

export type Api = {
  get: (path: string, as?: "owner" | "outsider") => Promise<{ status: number; body: unknown }>;
  close(): void;
};

/** The API over the database. Its writers are not needed to read. */
export async function startApi(db: Database, owner: string): Promise<Api> {
  const deps = {
    db,
    deployment,
    match: createMatchClient([]),
    delegate: owner,
    publicUrl: "http://api.test",
    logger: silent,
  };
  const network = { rpcUrls: [], matchUrls: [], gatewayUrls: [], probeImage: "" };
  const pass = (_request: unknown, _response: unknown, next: () => void) => next();
  const app = createApiApp({ ...deps, network } as unknown as ApiDeps, {
    isHealthy: async () => true,
    calls: { record: pass, flush: async () => undefined } as never,
    limits: { general: pass, signIn: pass, writes: pass } as never,
    proxies: [],
    releases: undefined,
    console: undefined,
  });
  const keys: Record<string, string> = {};
  for (const [name, wallet] of Object.entries({ owner, outsider })) {
    const { id, text, secretHash } = createKey();
    await db.query("insert into app.account (wallet) values ($1)", [wallet]);
    await insertKey(db, { id, wallet, name, secretHash });
    keys[name] = text;
  }
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    get: async (path, as = "owner") => {
      const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${keys[as]}` } });
      return { status: response.status, body: await response.json() };
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
