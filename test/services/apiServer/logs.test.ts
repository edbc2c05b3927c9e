import { createApiClient, type Schema } from "@ngpu/api-client/client";
import { expect } from "chai";
import { timeText } from "../../support/outputEngine.ts";
import { startTcpProxy } from "../../support/tcpProxy.ts";
import { eventually } from "../support/context.ts";
import type { Client } from "./client.ts";
import { type LeaseMarket, openLeaseMarket, stranger, wallet } from "./leaseMarket.ts";

type Line = Schema<"LogLine">;
type Gap = Schema<"LogGap">;
type Entry = Line | Gap;

const start = 1_800_000_000_000_000_000n;
const second = 1_000_000_000n;

describe("apiServer: what the containers of workspaces write", function () {
  this.timeout(120_000);
  let market: LeaseMarket;
  let partner: Client;
  let apiKey: string;
  let node: LeaseMarket["node"];
  let containers = 0;

  before(async () => {
    market = await openLeaseMarket();
    partner = await market.as(wallet);
    apiKey = await market.keyFor(wallet, "logs");
    ({ node } = market);
  });
  after(() => market.stop());

  /** Gives the lease a new container. */
  const newContainer = () => {
    const id = (++containers).toString(16).padStart(12, "0").padEnd(64, "a");
    market.run(id);
    return id;
  };
  const path = (query = "", id = "1") => `/v1/workspaces/${id}/logs${query}`;
  const read = async (query = ""): Promise<Entry[]> => {
    const response = await partner.raw(path(query));
    const text = await response.text();
    expect(`${response.status} ${response.headers.get("content-type")}`).to.match(/^200 application\/jsonl/);
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Entry]));
  };
  const texts = (entries: Entry[]) =>
    entries.map((entry) => ("gap" in entry ? entry.gap.reason : entry.text));

  it("shows the lines of both streams with their times, and continues after a cursor", async () => {
    const id = newContainer();
    node.output.write(id, start, "loading\n");
    node.output.write(id, start, "no model\n", 2);
    node.output.write(id, start + 5n, "ready\n");
    const all = await read();
    expect(
      all.map((entry) => ("gap" in entry ? entry : [entry.stream, entry.text, entry.time])),
    ).to.deep.equal([
      ["stdout", "loading", timeText(start)],
      ["stderr", "no model", timeText(start)],
      ["stdout", "ready", timeText(start + 5n)],
    ]);
    expect(all[0]).to.include({ replica: 0, lease: 4 });
    expect(texts(await read(`?cursor=${all[0]?.cursor}`))).to.deep.equal(["no model", "ready"]);
    expect(texts(await read(`?cursor=${all[2]?.cursor}`))).to.deep.equal([]);
    expect(texts(await read("?stream=stderr"))).to.deep.equal(["no model"]);
    expect(texts(await read(`?since=${timeText(start + 1n)}`))).to.deep.equal(["ready"]);
  });

  it("shows what rotation took as a gap, and never silently", async () => {
    const id = newContainer();
    for (let n = 0n; n < 10n; n++) node.output.write(id, start + n * second, `line ${n}\n`);
    const [, third] = await read();
    node.output.rotate(id, 5);
    const entries = await read(`?cursor=${third?.cursor}`);
    expect(texts(entries)).to.deep.equal(["rotated", "line 5", "line 6", "line 7", "line 8", "line 9"]);
    expect((entries[0] as Gap).gap).to.deep.equal({
      reason: "rotated",
      after: timeText(start + second),
      until: timeText(start + 5n * second),
    });
    node.output.rotate(id, 1);
    expect(texts(await read(`?cursor=${entries[2]?.cursor}`))).to.deep.equal(["line 7", "line 8", "line 9"]);
  });

  it("shows that a container was replaced, and then the lines of the new one", async () => {
    const before = newContainer();
    node.output.write(before, start, "old\n");
    const [last] = await read();
    const after = newContainer();
    node.output.write(after, start + second, "new\n");
    const entries = await read(`?cursor=${last?.cursor}`);
    expect(texts(entries)).to.deep.equal(["replaced", "new"]);
    expect(texts(await read(`?cursor=${entries[0]?.cursor}`))).to.deep.equal(["new"]);
  });

  it("keeps bytes that are no text, and marks a line that goes on", async () => {
    const id = newContainer();
    node.output.write(id, start, Buffer.from([0xff, 0x00, 0x0a]));
    node.output.write(id, start + 1n, "a".repeat(16_384));
    node.output.write(id, start + 1n, "b\n");
    const [bytes, begun, rest] = (await read()) as Line[];
    expect([bytes?.base64, bytes?.text]).to.deep.equal(["/wA=", undefined]);
    expect([begun?.text?.length, begun?.partial, rest?.text, rest?.partial]).to.deep.equal([
      16_384,
      true,
      "b",
      undefined,
    ]);
  });

  it("gives a follower that is disconnected again and again each line once", async () => {
    const id = newContainer();
    const proxy = await startTcpProxy(new URL(market.url));
    const stop = new AbortController();
    const client = createApiClient({ url: proxy.url.replace(/\/$/, ""), apiKey });
    const seen: string[] = [];
    const query = { follow: "true", replica: "0" } as const;
    const following = (async () => {
      const lines = client.lines<Entry>(
        "GET /v1/workspaces/{id}/logs",
        { path: { id: "1" }, query },
        { signal: stop.signal },
      );
      for await (const entry of lines) {
        seen.push("gap" in entry ? entry.gap.reason : (entry.text ?? ""));
        if (seen.length === 400) stop.abort();
      }
    })();
    for (let n = 0; n < 400; n++) {
      // Two lines in three have the time of the one before.
      node.output.write(id, start + BigInt(Math.floor(n / 3)), `line ${n}\n`, n % 2 === 0 ? 1 : 2);
      if (n % 50 !== 49) continue;
      await eventually(`line ${n}`, () => seen.length > n - 40);
      proxy.cut();
      proxy.restore();
    }
    await following;
    proxy.stop();
    expect(seen).to.deep.equal(Array.from({ length: 400 }, (_, n) => `line ${n}`));
  });

  it("follows a replica to its next container", async () => {
    const first = newContainer();
    node.output.write(first, start, "one\n");
    const stop = new AbortController();
    const client = createApiClient({ url: market.url, apiKey });
    const seen: (string | undefined)[] = [];
    const following = (async () => {
      const input = { path: { id: "1" }, query: { follow: "true", replica: "0" } } as const;
      const lines = client.lines<Entry>("GET /v1/workspaces/{id}/logs", input, { signal: stop.signal });
      for await (const entry of lines) {
        seen.push(...texts([entry]));
        if (seen.length === 3) stop.abort();
      }
    })();
    await eventually("the first line", () => seen.length === 1);
    const second = newContainer();
    node.output.write(second, start + 1n, "two\n");
    node.output.remove(first);
    await following;
    expect(seen).to.deep.equal(["one", "replaced", "two"]);
  });

  it("carries 20 MB to a slow reader, whole", async () => {
    const id = newContainer();
    for (let n = 0n; n < 2_000n; n++) node.output.write(id, start + n, `${n} ${"x".repeat(10_000)}\n`);
    const response = await partner.raw(path());
    let bytes = 0;
    let lines = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      lines += Buffer.from(part).filter((byte) => byte === 0x0a).length;
      if (bytes % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lines).to.equal(2_000);
  });

  it("is for the owner alone, with the scope of logs", async () => {
    const codes = async (client: Client, query = "", id = "1") => {
      const { status, body } = await client.get<{ code?: string }>(path(query, id));
      return [status, body.code];
    };
    newContainer();
    expect(await codes(await market.as(stranger))).to.deep.equal([404, "workspace_not_found"]);
    expect(await codes(await market.as(wallet, "read", "workspaces", "exec"))).to.deep.equal([
      403,
      "scope_missing",
    ]);
    expect(await codes(market.client)).to.deep.equal([401, "api_key_missing"]);
    expect((await (await market.as(wallet, "logs")).raw(path())).status).to.equal(200);
  });

  it("refuses values that are not valid", async () => {
    const bad = [
      "?cursor=1",
      "?since=yesterday",
      "?follow=maybe",
      "?stream=stdin",
      "?replica=-1",
      "?replica=x",
      "?tail=5",
    ];
    for (const query of bad) {
      const { status, body } = await partner.get<{ code: string }>(path(query));
      expect([query, status, body.code]).to.deep.equal([query, 400, "request_invalid"]);
    }
    const absent = await partner.get<{ code: string }>(path("?replica=9"));
    expect([absent.status, absent.body.code]).to.deep.equal([409, "replica_not_placed"]);
    const unplaced = await partner.get<{ code: string }>(path("", "3"));
    expect([unplaced.status, unplaced.body.code]).to.deep.equal([409, "replica_not_placed"]);
  });

  it("shows what the container uses, as its node reads it", async () => {
    const id = newContainer();
    node.output.write(id, start, "ready\n");
    const { status, body } = await partner.get("/v1/workspaces/1/stats");
    expect(status).to.equal(200);
    expect(body).to.deep.equal({
      replica: 0,
      lease: 4,
      nodeId: 1,
      time: "2027-01-15T08:00:02.000Z",
      cpu: { cores: 0.25, limit: 0.5, throttledSeconds: 0 },
      memory: { bytes: 64 << 20, limitBytes: 256 << 20 },
      processes: 3,
      disk: { readBytes: 0, writtenBytes: 0 },
      network: { receivedBytes: 10, sentBytes: 20 },
      gpus: [],
    });
    const refused = async (client: Client, of: string) => {
      const answer = await client.get<{ code: string }>(`/v1/workspaces/${of}/stats`);
      return [answer.status, answer.body.code];
    };
    expect(await refused(partner, "2")).to.deep.equal([501, "node_outdated"]);
    expect(await refused(partner, "3")).to.deep.equal([409, "replica_not_placed"]);
    expect(await refused(await market.as(stranger), "1")).to.deep.equal([404, "workspace_not_found"]);
    expect(await refused(await market.as(wallet, "tasks"), "1")).to.deep.equal([403, "scope_missing"]);
  });

  it("says that a node's client is too old", async () => {
    const { status, body } = await partner.get<{ code: string }>(path("", "2"));
    expect([status, body.code]).to.deep.equal([501, "node_outdated"]);
  });
});
