import { expect } from "chai";
import { rpc } from "../../support/rpc.ts";
import { eventually } from "../support/context.ts";
import { joinMeasurer, joinNode } from "./client.ts";
import { setupMatch, type TestMatch } from "./setup.ts";

const leadSeconds = 3_600;

describe("match: the order of a probe", function () {
  this.timeout(180_000);
  let test: TestMatch;

  before(async () => {
    test = await setupMatch({ measureLeadSeconds: leadSeconds, measureWindowSeconds: 1_200 });
  });

  after(async () => {
    await test.stop();
  });

  it("reaches the node before the round opens, and the measurer measures once it is open", async () => {
    const { rpcUrl, deployment } = test.market;
    const match = await test.startMatch("match-a");
    const measurer = await joinMeasurer(match.url, deployment);
    const { peer: node } = await joinNode(match.url, deployment);
    const { roundId, port } = await node.next("probe", undefined, 60_000);
    node.send({ type: "probeReady", roundId, port });
    const round = async () => {
      const { rows } = await test.db.query(
        `select d.status, d.url, count(one.position)::int as draws
         from app.measure_round d join chain.measurement m using (draws) left join app.measure_draw one using (draws)
         where m.round_id = $1 group by d.draws`,
        [roundId],
      );
      return rows[0];
    };
    const url = `http://127.0.0.1:${port}`;
    await eventually("the measurers are drawn", async () => (await round())?.draws > 0);
    await eventually("the probe is recorded", async () => (await round())?.url === url);
    expect((await round())?.status).to.equal("requested");
    expect(measurer.peer.received.some(({ type }) => type === "measure")).to.equal(false);
    await rpc(rpcUrl, "evm_increaseTime", [leadSeconds]);
    const measure = await measurer.peer.next("measure");
    expect(measure).to.include({ roundId, url, awaitProbe: false });
    node.vanish();
    measurer.peer.vanish();
  });
});
