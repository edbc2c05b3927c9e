import { loadDefinitions } from "@ngpu/auto-export/definitions";
import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import type { Connection, Database } from "@ngpu/db/pool";
import { packTerms } from "@ngpu/rewards/terms";
import { expect } from "chai";
import fc from "fast-check";
import type { Hex } from "viem";
import { indexEvents } from "../../../services/autoExport/decode.ts";
import { saveSettingAside } from "../../../services/autoExport/saveSettingAside.ts";
import type { EventTable } from "../../../services/autoExport/schema.ts";
import type { LogSetAside } from "../../../services/autoExport/setAside.ts";
import { prepareWriter } from "../../../services/autoExport/store.ts";
import { eventLog, type ScriptedLog, testGenerations } from "../../packages/chain-reader/scriptedChain.ts";
import { runs } from "../../support/runs.ts";
import { measurement, spec, word, workspaceSpec } from "../autoExport/fixtures.ts";
import { openChainTables } from "../support/chainTables.ts";
import { simpleTerms } from "../support/rewardTerms.ts";
import { eventOf, extremesOf, type Field, fieldsOf, outsider } from "./abiValues.ts";
import { type Api, type Healthy, readAll, startApi } from "./readers.ts";

const definitions = loadDefinitions();
const find = indexEvents(definitions.tables, testGenerations);
const owner = word(0xa11ce, 20);
const healthy: Healthy = { owner, nodes: [1, 2, 3], workspaces: [1n] };
const config = '{"image":"host/name","ports":[80]}';

/** What the market has before: three measured nodes, and a workspace with a running replica on the first. */
function healthyEvents(): ScriptedLog[] {
  const nodes = healthy.nodes.flatMap((nodeId) => [
    eventLog("ComputeNode", "NodeRegistered", {
      nodeId,
      key: word(nodeId, 20),
      wallet: word(0, 20),
      isBound: false,
      spec: spec(nodeId),
      gpuName: "GPU",
      gpuUuids: [],
      pricePerSecond: BigInt(nodeId),
    }),
    eventLog("Measure", "MeasureRequested", {
      roundId: BigInt(nodeId),
      nodeId,
      opensAt: 1,
      closesAt: 2,
      drawBlock: 1,
      draws: word(nodeId),
    }),
    eventLog("Measure", "MeasureFinalized", {
      roundId: BigInt(nodeId),
      nodeId,
      submissions: 3,
      expiresAt: 2 ** 40 - 1,
      median: { ...measurement(100), upMbps: 50 },
    }),
  ]);
  const lease = { workspaceId: 1n, nodeId: 1, replica: 0, lease: 1 };
  return [
    ...nodes,
    eventLog("Pomc", "TermsSet", { fromEpoch: 1n, terms: packTerms(simpleTerms) }),
    eventLog("Escrow", "Deposited", { account: owner, from: owner, amount: 10n ** 24n }),
    eventLog("Escrow", "Authorized", {
      authorizationId: 1n,
      owner,
      delegate: owner,
      maxRate: 10n ** 18n,
      daily: 1n,
      total: 10n ** 24n,
      scope: word(0),
      expiry: 2 ** 40 - 1,
    }),
    eventLog("DockerContract", "WorkspacePublished", {
      workspaceId: 1n,
      owner,
      image: word(1),
      authorizationId: 1n,
      replicas: 2,
      spec: { ...workspaceSpec(0) },
      config,
    }),
    eventLog("DockerContract", "Assigned", {
      ...lease,
      fence: word(1, 8),
      pricePerSecond: 1n,
      start: true,
      decidedAt: 1n,
      position: 0,
      excluded: "0x",
    }),
    eventLog("Escrow", "LeaseOpened", { ...lease, authorizationId: 1n, rate: 1n, lock: 1n }),
    eventLog("DockerContract", "StateChanged", { ...lease, state: 3, sequence: 1, detail: word(0) }),
  ];
}

// One table for each event; a new event of the ABIs is among them.
// Reward terms are governance's: no outsider sets them, and pomc waits for a version that has the catalogue they name.
const tables = [...new Map(definitions.tables.map((table) => [table.table, table])).values()].filter(
  ({ event }) => event !== "TermsSet",
);
// Everything is read after the events of each contract, and after each event in a deep run.
const groups = Map.groupBy(tables, ({ contract, event }) => (runs(1) > 1 ? event : contract));
/** The events of an outsider's own node, workspace, measurement and so on, which its other events change. */
const firsts = [
  "HeartbeatsCommitted",
  "NodeRegistered",
  "MeasurerRegistered",
  "MeasureRequested",
  "Authorized",
  "WorkspacePublished",
  "Assigned",
  "LeaseOpened",
].map((event) => tables.find((table) => table.event === event) as EventTable);
const first = 900;

describe("any value that an outsider puts on the chain", function () {
  this.timeout(300_000);
  let chain: Database;
  let writer: Connection;
  let api: Api;
  let close: () => Promise<void>;
  let number = 0n;
  let unchanged: Awaited<ReturnType<typeof answers>>;
  const aside: LogSetAside[] = [];

  const block = (logs: ScriptedLog[]): FollowedBlock => {
    number += 1n;
    const hash = word(number);
    const whole = logs.map((log, logIndex) => ({
      ...(log as ScriptedLog & { topics: [Hex, ...Hex[]] }),
      blockNumber: number,
      blockHash: hash,
      transactionHash: word(number * 1_000n + BigInt(logIndex)),
      logIndex,
    })) as ChainLog[];
    // Time does not pass: whatever changes was changed by the events.
    return { number, hash, parentHash: word(number - 1n), timestamp: 1_800_000_000n, logs: whole };
  };

  /** Mines a block for each list of logs. They are stored together, as after a pause. */
  const mine = async (...blocks: ScriptedLog[][]) => {
    const parts = { db: writer, definitions, find, onSetAside: (one: LogSetAside) => aside.push(one) };
    await saveSettingAside(parts, blocks.map(block), { silent: true });
  };

  /** What the services and the API say of the healthy parts. Everything else of the API answers too. */
  const answers = async (ids: readonly number[]) => {
    const own = await Promise.all(
      [
        ...healthy.nodes.map((id) => `/v1/nodes/${id}`),
        "/v1/workspaces",
        "/v1/workspaces/1",
        "/v1/account",
        "/v1/account/history",
        "/v1/measurements/1",
        `/v1/rewards/${owner}`,
        "/v1/models",
        "/v1/tasks",
      ].map(async (path) => [path, await api.get(path)]),
    );
    const shared = [
      "/v1/nodes?limit=200",
      "/v1/images",
      "/v1/epochs",
      "/v1/nodes/900",
      "/v1/nodes/1/proof",
      "/v1/measurements/900",
    ];
    const theirs = [
      "/v1/workspaces",
      `/v1/workspaces/${ids[0]}`,
      "/v1/account",
      "/v1/account/history",
      `/v1/rewards/${outsider}`,
      "/v1/models",
    ];
    const others = await Promise.all(
      [...shared, ...theirs].map((path) =>
        api.get(path, "outsider").then(({ status }) => [path, status] as const),
      ),
    );
    for (const [path, status] of others) expect(status, path).to.be.lessThan(500);
    return { services: await readAll(chain, healthy, ids), own };
  };

  before(async () => {
    let db: Database;
    ({ chain, db, close } = await openChainTables("ngpu_reader"));
    await db.end();
    writer = await chain.connect();
    await writer.query("set search_path to chain");
    await prepareWriter(writer, definitions);
    await mine(healthyEvents());
    await mine(firsts.map((table) => eventOf(table, first)));
    api = await startApi(chain, owner);
    unchanged = await answers([first]);
  });

  after(async () => {
    api.close();
    writer.release(true);
    await close();
  });

  /** The places where two answers differ. */
  const differences = (one: unknown, other: unknown, path = ""): string[] => {
    if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
      return Object.is(one, other) ? [] : [`${path}: ${String(one)} → ${String(other)}`];
    }
    const names = new Set([...Object.keys(one), ...Object.keys(other)]);
    const inside = (of: object, name: string) => (of as Record<string, unknown>)[name];
    return [...names].flatMap((name) =>
      differences(inside(one, name), inside(other, name), `${path}.${name}`),
    );
  };

  it("does not change the answers of the healthy parts, nor stop any of the readers", async () => {
    expect(aside).to.deep.equal([]);
    const statuses = (unchanged.own as [string, { status: number }][]).map(
      ([path, { status }]) => `${path} ${status}`,
    );
    expect(statuses.filter((line) => /^\/v1\/nodes\/\d+ /.test(line))).to.deep.equal(
      healthy.nodes.map((id) => `/v1/nodes/${id} 200`),
    );
    let id = first;
    for (const [name, group] of groups) {
      const ids = [first];
      for (const table of group) {
        const changes = fieldsOf(table).flatMap((field) =>
          extremesOf(field).map((value) => ({ field, value, own: ++id })),
        );
        if (changes.length === 0) continue;
        ids.push(...changes.map(({ own }) => own));
        await mine(
          ...changes.map(({ own, ...change }) => [
            ...firsts.map((one) => eventOf(one, own)),
            eventOf(table, own, [change]),
          ]),
        );
      }
      expect(differences(unchanged, await answers(ids)), name).to.deep.equal([]);
    }
  });

  const blocks = runs(8, 200);

  it(`does so in several fields and events of a block at once, ${blocks} blocks`, async () => {
    const change = (field: Field) =>
      fc.record({ field: fc.constant(field), value: fc.constantFrom(...extremesOf(field)) });
    const event = fc.constantFrom(...tables).chain((table) => {
      return fc.tuple(...fieldsOf(table).map(change)).map((changes) => eventOf(table, first, changes));
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 20 }), async (logs) => {
        await mine(logs);
        expect(differences(unchanged, await answers([first]))).to.deep.equal([]);
      }),
      { numRuns: blocks, endOnFailure: true },
    );
  });

  it("is asked for by any id without an error of the server", async () => {
    const ids = [
      ...[0n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n].map(
        String,
      ),
      "9".repeat(10),
      "9".repeat(20),
      "9".repeat(100),
      "-1",
      "1e9",
      "0x1",
      "a",
      "%00",
      "%ED%A0%80",
      `0x${"f".repeat(64)}`,
    ];
    const paths = [
      "nodes",
      "workspaces",
      "measurements",
      "epochs",
      "rewards",
      "placements",
      "tasks",
      "chat",
    ].flatMap((name) =>
      ids.flatMap((id) => [`/v1/${name}/${id}`, `/v1/${name}?after=${id}`, `/v1/${name}?limit=${id}`]),
    );
    const more = ["images", "account/history", "models"].flatMap((name) =>
      ids.map((id) => `/v1/${name}?after=${id}`),
    );
    const wrong: string[] = [];
    for (const path of [...paths, ...more]) {
      const { status } = await api.get(path);
      if (status >= 500) wrong.push(`${status} ${path}`);
    }
    expect(wrong).to.deep.equal([]);
  });

  it("sets aside what no row can hold, with the reason", async () => {
    const count = aside.length;
    const { rows } = await chain.query(
      "select count(*)::int as count from chain.set_aside where reason <> '' and code <> ''",
    );
    expect(rows[0].count).to.equal(count);
  });
});
