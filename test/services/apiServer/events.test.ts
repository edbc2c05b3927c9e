import { createPool, type Database, transaction } from "@ngpu/db/pool";
import { endEvents, recordEvents, type WorkspaceEvent } from "@ngpu/queries/workspaceEvents";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { echo } from "../gateway/node.ts";
import { eventually } from "../support/context.ts";
import type { LeaseRef } from "../workspace/chainActions.ts";
import type { Client } from "./client.ts";
import { join, newWorkspace, runWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Reason = {
  code: string;
  message: string;
  hint: string;
  details: Record<string, unknown>;
  since: string;
};
type Workspace = { reason: Reason | null; replicaList: { reason: Reason | null }[] };
type Event = {
  id: string;
  cursor: string;
  time: string;
  source: string;
  code: string;
  message: string;
  count: number;
  replica: number | null;
  lease: number | null;
  details: Record<string, unknown>;
  tier: string | null;
};
type Page = { events: Event[]; next: string | null; replacedAfter: string | null };
type Sent = { id?: string; event?: string; data?: string; comment?: string };

describe("apiServer: reasons and events of workspaces", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client;
  let stranger: Client;
  let asMatch: Database;
  let nodeId: number;
  let running: LeaseRef & { id: string };

  before(async () => {
    api = await setup();
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey())));
    ({ partner: stranger } = await join(api, privateKeyToAccount(generatePrivateKey())));
    asMatch = createPool({ url: api.market.urlAs("ngpu_match"), name: "test" });
    nodeId = await api.addServingNode("one", echo("one"));
    running = await runWorkspace(api, partner, { name: "one", nodeId });
  });
  after(async () => {
    await asMatch.end();
    await api.stop();
  });

  const publish = async () => (await partner.post<{ id: string }>("/v1/workspaces", newWorkspace)).body.id;
  const show = async (id: string) => (await partner.get<Workspace>(`/v1/workspaces/${id}`)).body;
  const page = async (id: string, query = "") =>
    (await partner.get<Page>(`/v1/workspaces/${id}/events${query}`)).body;
  const record = (events: Partial<WorkspaceEvent>[], id = running.id) =>
    transaction(asMatch, (db) =>
      recordEvents(
        db,
        events.map((event) => ({
          workspaceId: BigInt(id),
          replica: 0,
          lease: 1,
          nodeId,
          code: "container_exited" as const,
          details: { exitCode: 7, starts: 1, log: "first\nsecond" },
          ...event,
        })),
      ),
    );

  it("say that the market looks for a node, that the owner stopped or closed it, and nothing of one that runs", async () => {
    const id = await publish();
    await api.market.exported();
    const waiting = await show(id);
    expect(waiting.reason).to.include({
      code: "placing",
      message: "The market chooses a node for the replica.",
    });
    expect(waiting.replicaList.map(({ reason }) => reason?.code)).to.deep.equal(["placing"]);
    await partner.post(`/v1/workspaces/${id}/stop`);
    expect((await show(id)).reason?.code).to.equal("stopped");
    await partner.delete(`/v1/workspaces/${id}`);
    await api.market.exported();
    expect((await show(id)).reason).to.include({
      code: "closed",
      hint: "Publish it again: POST /v1/workspaces.",
    });
    expect((await show(running.id)).reason).to.equal(null);
  });

  it("say what the node reports of a replica, until it runs again", async () => {
    await record([{}]);
    const { reason, replicaList } = await show(running.id);
    expect(reason).to.include({ code: "container_exited", message: "The container ended." });
    expect(reason?.details).to.deep.equal({ exitCode: 7, starts: 1, log: "first\nsecond" });
    expect(replicaList[0]?.reason).to.deep.equal(reason);
    await transaction(asMatch, (db) =>
      endEvents(db, { workspaceId: running.workspaceId, replica: 0, lease: 1 }),
    );
    expect((await show(running.id)).reason).to.equal(null);
  });

  it("say what no node fits, and what is missing of the balance", async () => {
    const id = await publish();
    await api.market.exported();
    await api.db.query(
      `insert into app.placement (request_id, workspace_id, replica, status, refusals, answered_at)
       values (gen_random_uuid(), $1, 0, 'impossible', '{"counts":{"price":1},"nearest":{"nodeId":1}}', now())`,
      [id],
    );
    expect((await show(id)).reason).to.deep.include({
      code: "no_node_fits",
      details: { refused: { price: 1 }, nearest: { nodeId: 1 } },
    });
    await api.db.query("update app.placement set status = 'refused', refusal = 'EscrowBalanceTooLow()'");
    await record([{ code: "balance_too_low", lease: 0, details: { refusal: "EscrowBalanceTooLow()" } }], id);
    // The deposit suffices by now: the market tries again.
    expect((await show(id)).reason?.code).to.equal("placing");
    await api.db.query(
      "update chain.workspace set max_price_per_second = 1e18::numeric where workspace_id = $1",
      [id],
    );
    const { reason } = await show(id);
    expect(reason?.code).to.equal("balance_too_low");
    const { needed, available, missing } = (reason?.details ?? {}) as Record<string, string>;
    expect(BigInt(needed ?? 0)).to.equal(60n * 10n ** 18n);
    expect(BigInt(available ?? 0) + BigInt(missing ?? 0)).to.equal(BigInt(needed ?? 0));
  });

  it("list what happened on the chain and off it, page by page", async () => {
    await record([{ details: { exitCode: 7, starts: 2, log: "again" } }]);
    const whole = await page(running.id);
    expect(whole.next).to.equal(null);
    expect(whole.events.map(({ code }) => code)).to.include.members([
      "workspace_published",
      "replica_assigned",
      "state_reported",
      "container_exited",
    ]);
    expect(whole.events[0]).to.include({ source: "chain", code: "workspace_published", replica: null });
    expect(whole.events.at(-1)).to.deep.include({
      source: "node",
      code: "container_exited",
      count: 2,
      tier: null,
    });
    const paged: Event[] = [];
    for (let after = ""; ; ) {
      const { events, next } = await page(running.id, `?limit=2${after}`);
      paged.push(...events);
      if (next === null) break;
      expect(events).to.have.length(2);
      after = `&after=${next}`;
    }
    expect(paged).to.deep.equal(whole.events);
    const last = whole.events.at(-1)?.cursor;
    expect(await page(running.id, `?after=${last}`)).to.deep.equal({
      events: [],
      next: null,
      replacedAfter: null,
    });
  });

  it("show an event again at the end, with its count, when it repeats", async () => {
    const before = (await page(running.id)).events;
    const after = before.at(-1)?.cursor;
    await record([{ details: { exitCode: 7, starts: 3, log: "" } }]);
    const { events } = await page(running.id, `?after=${after}`);
    expect(events).to.have.length(1);
    expect(events[0]).to.include({ id: before.at(-1)?.id, code: "container_exited", count: 3 });
  });

  it("belong to the owner alone, and refuse what is no cursor", async () => {
    const foreign = await stranger.get<{ code: string }>(`/v1/workspaces/${running.id}/events`);
    expect([foreign.status, foreign.body.code]).to.deep.equal([404, "workspace_not_found"]);
    const headers = { accept: "text/event-stream" };
    expect((await stranger.raw(`/v1/workspaces/${running.id}/events`, { headers })).status).to.equal(404);
    expect((await api.client.raw(`/v1/workspaces/${running.id}/events`, { headers })).status).to.equal(401);
    for (const query of ["?after=1", "?after=1.2.zzzzzzzz.3", "?limit=0", "?limit=201", "?unknown=1"]) {
      expect((await partner.get(`/v1/workspaces/${running.id}/events${query}`)).status, query).to.equal(400);
    }
    const far = `${"9".repeat(18)}.${"9".repeat(9)}.ffffffff.${"9".repeat(18)}`;
    const answer = await partner.get<Page>(`/v1/workspaces/${running.id}/events?after=${far}`);
    expect([answer.status, typeof answer.body.replacedAfter]).to.deep.equal([200, "string"]);
  });

  /** Reads a stream of events. */
  const open = async (id: string, lastEventId?: string) => {
    const abort = new AbortController();
    const headers = {
      accept: "text/event-stream",
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    };
    const response = await partner.raw(`/v1/workspaces/${id}/events`, { headers, signal: abort.signal });
    expect(response.headers.get("content-type")).to.equal("text/event-stream; charset=utf-8");
    const sent: Sent[] = [];
    const read = async () => {
      let text = "";
      for await (const part of response.body ?? []) {
        text += Buffer.from(part).toString();
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const lines = block
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
          sent.push(Object.fromEntries(lines) as Sent);
        }
      }
    };
    const ended = read().catch(() => undefined);
    const codes = () =>
      sent.flatMap(({ data, event }) =>
        data === undefined || event !== undefined ? [] : [JSON.parse(data) as Event],
      );
    return { sent, events: codes, ended, close: () => abort.abort() };
  };

  it("stream the history and what follows, and resume after the last event", async () => {
    const { events: known } = await page(running.id);
    const stream = await open(running.id);
    await eventually("the history", () => stream.events().length === known.length);
    expect(stream.events()).to.deep.equal(known);
    await record([{ code: "out_of_memory", details: { memoryMib: 64, exitCode: 137, starts: 4, log: "" } }]);
    await eventually("a recorded event", () => stream.events().at(-1)?.code === "out_of_memory");
    await partner.post(`/v1/workspaces/${running.id}/stop`);
    await eventually("an event of the chain", () =>
      stream.events().some(({ code }) => code === "stop_ordered"),
    );
    stream.close();
    await stream.ended;
    const at = stream.sent.findIndex(({ data }) => data?.includes('"out_of_memory"'));
    const resumed = await open(running.id, stream.sent[at]?.id);
    await eventually("the rest", () => resumed.events().some(({ code }) => code === "stop_ordered"));
    // What the lease owed is settled with the order, where anything was due.
    const codes = resumed.events().map(({ code }) => code);
    expect(codes.filter((code) => code !== "lease_settled")).to.deep.equal(["stopped_set", "stop_ordered"]);
    resumed.close();
    await resumed.ended;
  });

  it("say when the chain replaced blocks, and repeat what is on it now", async () => {
    const { events: before } = await page(running.id);
    const last = before.findLast(({ source }) => source === "chain");
    const stream = await open(running.id, last?.cursor);
    const [block] = (last?.cursor ?? "").split(".");
    // As if a reorg had replaced everything above a safe head before the workspace.
    await api.db.query("update chain.head set number = 0 where tier in ('safe', 'finalized')");
    await api.db.query("update chain.block set hash = '0x' || repeat('cd', 32) where number = $1", [block]);
    const { replacedAfter, events } = await page(running.id, `?after=${last?.cursor}`);
    expect(replacedAfter).to.equal("0");
    expect(events.map(({ id }) => id)).to.include(before[0]?.id);
    await record([{ code: "gpu_lost", details: {} }]);
    await eventually("the reorg", () => stream.sent.some(({ event }) => event === "reorg"));
    await eventually("the repetition", () => stream.events().some(({ id }) => id === before[0]?.id));
    stream.close();
    await stream.ended;
  });

  it("end their streams when the service stops", async () => {
    const stream = await open(running.id);
    await eventually("the start", () => stream.events().length > 0);
    await api.restart();
    await stream.ended;
  });

  it("limit the streams of a wallet", async () => {
    const streams = [];
    for (let count = 0; count < 32; count += 1) streams.push(await open(running.id));
    const headers = { accept: "text/event-stream" };
    const refused = await partner.raw(`/v1/workspaces/${running.id}/events`, { headers });
    expect(refused.status).to.equal(429);
    expect(await refused.json()).to.include({ code: "too_many_streams" });
    for (const stream of streams) stream.close();
    await Promise.all(streams.map(({ ended }) => ended));
    await eventually("a free stream", async () => {
      const again = await partner.raw(`/v1/workspaces/${running.id}/events`, { headers });
      await again.body?.cancel();
      return again.status === 200;
    });
  });
});
