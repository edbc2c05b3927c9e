import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";
import { eventually } from "../support/context.ts";
import { chatBody, headerOf, type Seen, send } from "./client.ts";
import { anyCase, cutCase, invalidCase, type Script, validCase } from "./grammar.ts";
import { afterRequest, answerOk, type ByteMarket, openByteMarket } from "./market.ts";

type Row = { status: string; http_status: number | null; error_code: string | null; node_id: bigint | null };

const refusals = ["response_invalid", "replica_connection_lost"];

/** Responses of each kind. */
const counts = {
  valid: runs(30, 800),
  cuts: runs(25, 600),
  invalid: runs(30, 800),
  any: runs(50, 1_500),
};

describe("whatever a container answers", function () {
  this.timeout(600_000);
  let market: ByteMarket;
  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);
  before(async () => {
    market = await openByteMarket();
    process.on("uncaughtExceptionMonitor", note);
  });
  after(async () => {
    process.off("uncaughtExceptionMonitor", note);
    await market.stop();
  });

  async function play({ parts, end }: Script, socket: Socket): Promise<void> {
    for (const part of parts) {
      socket.write(part);
      await setImmediate();
    }
    if (end === "fin") socket.end();
    else socket.resetAndDestroy();
  }

  /** Sends a chat to the container that plays the script, and beside it a request to the other one. */
  async function ask(script: Script): Promise<{ seen: Seen; row: Row }> {
    const [bad, good] = market.workspaces as [ByteMarket["workspaces"][0], ByteMarket["workspaces"][0]];
    bad.container.serve = (socket) => afterRequest(socket, () => void play(script, socket));
    good.container.serve = answerOk;
    const beside = send(market, "/v1/chat/completions", chatBody(good.id)).seen;
    const seen = await send(market, "/v1/chat/completions", chatBody(bad.id)).seen;
    const other = await beside;
    expect(`${other.end} ${other.status} ${other.body}`).to.equal("complete 200 ok");
    const row = await eventually("the task's end", async () => {
      const { rows } = await market.api.db.query<Row>(
        "select status, http_status, error_code, node_id from app.task where id = $1",
        [headerOf(seen, "x-ngpu-task-id")],
      );
      return rows[0]?.status === "running" || rows[0]?.status === "queued" ? undefined : rows[0];
    });
    expect(uncaught).to.deep.equal([]);
    expect([market.tunnel.open(), market.tunnel.opened()]).to.deep.equal([1, 1]);
    return { seen, row };
  }

  const isContainers = (seen: Seen) => headerOf(seen, "x-ngpu-node-id") !== undefined;
  const codeIn = (seen: Seen) => (JSON.parse(seen.body.toString()) as { error: { code: string } }).error.code;

  /** The client and the record agree on how it ended. */
  function agree(seen: Seen, row: Row): void {
    if (seen.end === "cut") {
      expect([row.status, row.error_code]).to.deep.equal(["failed", "response_cut"]);
    } else if (isContainers(seen)) {
      const isSuccess = seen.status >= 200 && seen.status < 300;
      expect(row).to.include({ status: isSuccess ? "succeeded" : "failed", http_status: seen.status });
      expect(row.error_code).to.equal(isSuccess ? null : "container_error");
    } else {
      expect(seen.status).to.be.oneOf([502, 503]);
      expect(row).to.include({ status: "failed", error_code: codeIn(seen) });
    }
  }

  it(`passes status, headers and body of a response as they are, ${counts.valid} responses`, () =>
    fc.assert(
      fc.asyncProperty(validCase, async ({ script, status, headers, body }) => {
        const { seen, row } = await ask(script);
        expect([seen.end, seen.status]).to.deep.equal(["complete", status]);
        expect(seen.body.equals(body)).to.equal(true);
        const sent = new Map<string, string[]>();
        for (const [name, value] of headers) sent.set(name, [...(sent.get(name) ?? []), value]);
        for (const [name, values] of sent) {
          const got = seen.headers.filter(([own]) => own === name).map(([, value]) => value);
          const joined = name === "content-language" || name === "content-encoding";
          const expected =
            name === "retry-after" ? values.slice(0, 1) : joined ? [values.join(", ")] : values;
          expect(got, name).to.deep.equal(expected);
        }
        agree(seen, row);
      }),
      { numRuns: counts.valid },
    ));

  it(`cuts a response that breaks off, and records the cut, ${counts.cuts} responses`, () =>
    fc.assert(
      fc.asyncProperty(cutCase, async (script) => {
        const { seen, row } = await ask(script);
        expect(seen.end === "cut" || !isContainers(seen)).to.equal(true);
        agree(seen, row);
      }),
      { numRuns: counts.cuts },
    ));

  it(`answers 502 in place of a response that is not HTTP, ${counts.invalid} responses`, () =>
    fc.assert(
      fc.asyncProperty(invalidCase, async (script) => {
        const { seen, row } = await ask(script);
        agree(seen, row);
        if (seen.end === "cut") return;
        expect(seen.status).to.equal(502);
        expect(codeIn(seen)).to.be.oneOf(refusals);
      }),
      { numRuns: counts.invalid },
    ));

  it(`gives the client bytes, an error or a cut, as the record says, whatever the bytes are, ${counts.any} responses`, () =>
    fc.assert(
      fc.asyncProperty(anyCase, async (script) => {
        const { seen, row } = await ask(script);
        agree(seen, row);
      }),
      { numRuns: counts.any },
    ));
});
