import { expect } from "chai";
import { runs } from "../../support/runs.ts";
import { eventually } from "../support/context.ts";
import { abortMany } from "./aborts.ts";
import { chatBody, send } from "./client.ts";
import { answerOk, type ByteMarket, openByteMarket } from "./market.ts";

describe("a client that leaves", function () {
  this.timeout(600_000);
  let market: ByteMarket;
  const errors: string[] = [];
  const write = (line: string) => {
    const { level, event } = JSON.parse(line) as { level: string; event: string };
    if (level === "error") errors.push(event);
  };
  before(async () => {
    market = await openByteMarket({ log: { write } });
  });
  after(() => market.stop());

  it("closes the container's connection at any moment, and its task is aborted", async () => {
    const aborts = await abortMany(market, { count: runs(120), concurrency: 12, seed: 20261 });
    expect(aborts.filter((one) => !one.reached)).to.deep.equal([]);
    expect(aborts.some((one) => one.arrived)).to.equal(true);
    const records = await eventually("all ends", async () => {
      const { rows } = await market.api.db.query<{ status: string; error_code: string; count: string }>(
        "select status, error_code, count(*) from app.task where kind = 'chat' group by 1, 2",
      );
      return rows.every((row) => row.status !== "running" && row.status !== "queued") ? rows : undefined;
    });
    expect(records.map((row) => `${row.status} ${row.error_code}`)).to.deep.equal([
      "aborted client_disconnected",
    ]);
    // It is no failure of the API or the gateway.
    expect(errors).to.deep.equal([]);
  });

  it("holds up no other request, however many leave at once", async () => {
    const [left, other] = market.workspaces as [ByteMarket["workspaces"][0], ByteMarket["workspaces"][0]];
    other.container.serve = answerOk;
    left.container.serve = (socket) => socket.resume();
    // More than HTTP/2's limit of resets, of which a session ends.
    for (let round = 0; round < 12; round++) {
      const sent = Array.from({ length: 100 }, () => send(market, "/v1/chat/completions", chatBody(left.id)));
      for (const one of sent) one.seen.catch(() => undefined);
      const beside = await send(market, "/v1/chat/completions", chatBody(other.id)).seen;
      expect([beside.status, beside.body.toString()]).to.deep.equal([200, "ok"]);
      await eventually("the requests arrive", async () => {
        const { rows } = await market.api.db.query<{ count: string }>(
          "select count(*) from app.task where status = 'running' and workspace_id = $1",
          [left.id],
        );
        return Number(rows[0]?.count) === 100;
      });
      for (const one of sent) one.request.destroy();
      await eventually("all have ended", async () => {
        const { rows } = await market.api.db.query<{ count: string }>(
          "select count(*) from app.task where status in ('queued', 'running')",
        );
        return Number(rows[0]?.count) === 0;
      });
    }
    expect([market.tunnel.open(), market.tunnel.opened()]).to.deep.equal([1, 1]);
  });
});
