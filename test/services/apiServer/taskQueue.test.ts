import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { findTurns } from "../../../services/apiServer/store/taskQueue.ts";
import { insertAssignment, insertRow, insertWorkspace, openChainTables } from "../support/chainTables.ts";

describe("apiServer: the turn of a task that waits for a replica", function () {
  this.timeout(60_000);
  let market: Awaited<ReturnType<typeof openChainTables>>;

  beforeEach(async () => {
    market = await openChainTables("ngpu_api");
    await insertWorkspace(market.chain, { workspace_id: 7 });
    await insertRow(market.chain, "app.tunnel", { node_id: 1, instance: "gateway", url: "http://gateway" });
  });
  afterEach(() => market.close());

  const addReplica = (replica: number) =>
    insertAssignment(market.chain, { workspace_id: 7, replica, lease: 1, node_id: 1, state: "running" });
  /** The turn of a task that waits until so many seconds from now. */
  const turnOf = async (seconds: number) => {
    const id = randomUUID();
    await market.chain.query(
      `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, runner, wait_until)
       values ($1, '0x', '', 7, 'task', 'POST', '/', 0, now() + make_interval(secs => $2))`,
      [id, seconds],
    );
    return (await findTurns(market.db, [id]))[0]?.turn;
  };

  it("comes when a replica runs that is connected", async () => {
    expect(await turnOf(60)).to.equal(undefined);
    await addReplica(0);
    expect(await turnOf(60)).to.equal("try");
  });

  it("is over with its time, whether a replica runs or not", async () => {
    expect(await turnOf(-1)).to.equal("over");
    await addReplica(0);
    expect(await turnOf(-1)).to.equal("over");
  });

  it("does not come with a tunnel of a gateway that died", async () => {
    await addReplica(0);
    await market.chain.query("update app.tunnel set seen_at = now() - interval '2 minutes'");
    expect(await turnOf(60)).to.equal(undefined);
  });

  it("does not come with a replica above the number of replicas, or one that leaves soon", async () => {
    await addReplica(1);
    expect(await turnOf(60)).to.equal(undefined);
    await addReplica(0);
    await market.chain.query("insert into app.scaling (workspace_id, drain_from) values (7, 0)");
    expect(await turnOf(60)).to.equal(undefined);
  });
});
