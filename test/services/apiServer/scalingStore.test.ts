import { expect } from "chai";
import {
  deleteScalings,
  findScaling,
  listScaled,
  saveScaling,
} from "../../../services/apiServer/store/scaling.ts";
import { insertAssignment, insertRow, insertWorkspace, openChainTables } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";

const delegate = "0x00000000000000000000000000000000000000d1";
const state = { lowerSince: 1, peak: 1, drainFrom: null, drainSince: null };
const config = JSON.stringify({ scaling: { min: 0, max: 4 } });

describe("apiServer: what is stored of the scaling of workspaces", function () {
  this.timeout(60_000);
  let market: Awaited<ReturnType<typeof openChainTables>>;

  before(async () => {
    market = await openChainTables("ngpu_api");
    for (const [id, by] of [
      [1, delegate],
      [2, "0x00000000000000000000000000000000000000d2"],
    ] as const)
      await market.chain.query(
        "insert into chain.spending_authorization select (jsonb_populate_record(null::chain.spending_authorization, $1)).*",
        [await authorization(id, by)],
      );
  });
  after(() => market.close());

  /** A row with something in every column that must have it. */
  const authorization = async (id: number, by: string) => {
    const { rows } = await market.chain.query<{ name: string; type: string }>(
      `select attname as name, format_type(atttypid, null) as type from pg_attribute
       where attrelid = 'chain.spending_authorization'::regclass and attnum > 0`,
    );
    const blank = rows.map(({ name, type }) => [
      name,
      type === "text" ? "0x" : type === "boolean" ? false : 0,
    ]);
    return { ...Object.fromEntries(blank), authorization_id: id, delegate: by };
  };

  it("wakes the gateways only when other replicas take requests", async () => {
    const listener = await market.db.connect();
    let notified = 0;
    listener.on("notification", ({ payload }) => {
      if (payload === "scaling") notified += 1;
      if (payload === "end") notified += 100;
    });
    await listener.query("listen app_changed");
    await saveScaling(market.db, "9", state);
    await saveScaling(market.db, "9", { ...state, peak: 2 });
    await saveScaling(market.db, "9", { ...state, peak: 2, drainFrom: 2, drainSince: 5 });
    await saveScaling(market.db, "9", { ...state, peak: 2, drainFrom: 2, drainSince: 6 });
    await saveScaling(market.db, "9", state);
    await market.db.query("notify app_changed, 'end'");
    await eventually("the last notification", () => notified >= 100);
    listener.release(true);
    expect(notified).to.equal(102);
  });

  it("is deleted where nothing follows requests any more, and kept for another delegate", async () => {
    await insertWorkspace(market.chain, { workspace_id: 1, config });
    await insertWorkspace(market.chain, { workspace_id: 2, config, authorization_id: 2 });
    await insertWorkspace(market.chain, { workspace_id: 3 });
    await insertWorkspace(market.chain, { workspace_id: 4, config, status: "closed" });
    for (const id of ["1", "2", "3", "4"]) await saveScaling(market.db, id, { ...state, drainFrom: 1 });
    const found = await listScaled(market.db, { delegate, seconds: 1 });
    expect(found.map(({ id }) => id)).to.deep.equal(["1"]);
    await deleteScalings(market.db, { delegate, except: ["1"] });
    const drains = await Promise.all(["1", "2", "3", "4"].map((id) => findScaling(market.db, id)));
    expect(drains.map(({ drainFrom }) => drainFrom)).to.deep.equal([1, 1, null, null]);
  });

  it("counts replicas as serving that run at a connected node", async () => {
    await insertRow(market.chain, "app.tunnel", { node_id: 1, instance: "gateway", url: "http://gateway" });
    const lease = { workspace_id: 1, lease: 1, node_id: 1, state: "running" };
    await insertAssignment(market.chain, { ...lease, replica: 0, node_id: 2 });
    await insertAssignment(market.chain, { ...lease, replica: 1 });
    await insertAssignment(market.chain, { ...lease, replica: 2, desired: "stop" });
    await insertAssignment(market.chain, { ...lease, replica: 3, state: "assigned" });
    const [one] = await listScaled(market.db, { delegate, seconds: 1 });
    expect(one?.facts.serving).to.deep.equal([1]);
  });

  it("counts requests that run or wait for a replica, and no backlog of the wallet's own", async () => {
    const task = (status: string, waits: boolean) =>
      market.db.query(
        `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, runner, status, wait_until)
         values (gen_random_uuid(), '0xa', 'k', 1, 'task', 'POST', '/', 0, $1, case when $2 then now() + interval '1 hour' end)`,
        [status, waits],
      );
    for (let index = 0; index < 5; index += 1) await task("queued", false);
    await task("running", false);
    await task("queued", true);
    const [one] = await listScaled(market.db, { delegate, seconds: 1 });
    expect(one?.facts.demand).to.equal(2);
  });
});
