import { join } from "node:path";
import { expect } from "chai";
import { updatePlace } from "../../../node-client/updates/place.ts";
import { update } from "../../../node-client/updates/updater.ts";
import { startConfig } from "../../../services/config/config.ts";
import { readConfigEnv } from "../../../services/config/env.ts";
import { temporaryDir } from "../../embedded/setup.ts";
import { startUpdateMarket, type UpdateMarket } from "../../support/updateMarket.ts";
import { createTestContext, eventually } from "../support/context.ts";

const token = "a".repeat(40);

describe("config", function () {
  this.timeout(60_000);
  let home: ReturnType<typeof temporaryDir>;
  let market: UpdateMarket;
  let context: ReturnType<typeof createTestContext>;
  let url: string;
  before(async () => {
    home = temporaryDir();
    market = await startUpdateMarket(home.path);
    market.release("1.1.0", 'console.log("1.1.0");');
    context = createTestContext("config");
    ({ url } = await startConfig(settings(), context));
  });
  after(async () => {
    await context.stop();
    await market.stop();
    home[Symbol.dispose]();
  });
  const settings = (keyFile = "online.pem") =>
    readConfigEnv({
      UPDATE_REPOSITORY: market.dir,
      ONLINE_KEY_FILE: join(market.keysDir, keyFile),
      CONFIG_TOKEN: token,
    });
  const ask = async (method: string, path: string, body?: unknown, bearer = token) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  /** What a client that is in every rollout does. */
  const ofClient = () => {
    const place = updatePlace({ NGPU_UPDATES: join(home.path, "node/updates") });
    return update({
      dir: place?.dir as string,
      releases: market.url,
      root: join(market.dir, "metadata/1.root.json"),
      installed: "1.0.0",
      platform: `${process.platform}-${process.arch}`,
      address: `0x${"1".repeat(40)}`,
    });
  };
  const alert = (status: string) => ({
    version: "4",
    status,
    alerts: [{ status, labels: { alertname: "NodesLost" }, annotations: { summary: "9 nodes are offline" } }],
  });

  it("refuses whoever has no token, and what is no rollout, and changes nothing", async () => {
    expect((await ask("GET", "/rollout", undefined, "b".repeat(40))).body.error.code).to.equal(
      "token_invalid",
    );
    expect((await fetch(`${url}/alerts`, { method: "POST" })).status).to.equal(401);
    for (const body of [
      {},
      { release: "1.1" },
      { release: "1.1.0", percent: 101 },
      { release: "1.1.0", percent: 5, regions: [] },
    ])
      expect((await ask("PUT", "/rollout", body)).body.error.code).to.equal("rollout_invalid");
    expect((await ask("PUT", "/rollout", "{")).status).to.equal(400);
    const unknown = await ask("PUT", "/rollout", { release: "7.0.0", percent: 5 });
    expect(unknown.status).to.equal(404);
    expect(unknown.body.error).to.include({ code: "release_unknown" });
    expect(unknown.body.error.hint).to.include("1.1.0");
    expect((await ask("POST", "/rollout/resume")).body.error.code).to.equal("rollout_missing");
    expect((await ask("GET", "/nothing")).status).to.equal(404);
    expect((await ask("GET", "/rollout")).body).to.deep.include({ rollout: null, releases: ["1.1.0"] });
    expect(await ofClient()).to.include({ because: "no_rollout" });
  });

  it("rolls a release out, pauses for an alert, and goes on when it is told to", async () => {
    expect((await ask("POST", "/alerts", alert("firing"))).status).to.equal(204);
    await ask("PUT", "/rollout", { release: "1.1.0", percent: 0 });
    expect(await ofClient()).to.include({ because: "not_yet" });
    expect((await ask("POST", "/alerts", alert("firing"))).status).to.equal(204);
    const raised = await ask("PUT", "/rollout", { release: "1.1.0", percent: 100 });
    expect(raised.body.rollout).to.deep.equal({
      release: "1.1.0",
      percent: 100,
      regions: null,
      paused: "Alert NodesLost: 9 nodes are offline",
    });
    expect(await ofClient()).to.include({ because: "paused" });
    expect((await ask("POST", "/alerts", alert("resolved"))).status).to.equal(204);
    expect(await ofClient()).to.include({ because: "paused" });
    await ask("POST", "/rollout/pause", { reason: "a later one" });
    expect((await ask("GET", "/rollout")).body.rollout.paused).to.include("NodesLost");
    await ask("POST", "/rollout/resume");
    expect(await ofClient()).to.include({ state: "staged", release: "1.1.0" });
  });

  it("signs what was added offline, and says in metrics and health what is rolled out", async () => {
    market.release("1.2.0", 'console.log("1.2.0");');
    await eventually("config signs the release", async () => {
      const { body } = await ask("GET", "/rollout");
      return body.releases.includes("1.2.0");
    });
    expect(
      (await ask("PUT", "/rollout", { release: "1.2.0", percent: 30, regions: ["DE"] })).status,
    ).to.equal(200);
    const health = (await (await fetch(`${url}/healthz`)).json()) as {
      ok: boolean;
      details: Record<string, string>;
    };
    expect(health.ok).to.equal(true);
    expect(Date.parse(health.details.signaturesExpire as string)).to.be.within(
      Date.now() + 40_000_000,
      Date.now() + 90_000_000,
    );
    expect(await (await fetch(`${url}/metrics`)).text()).to.match(
      /ngpu_config_rollout_percent\{release="1\.2\.0",service="config"\} 30/,
    );
  });

  it("does not start with another key, or without a repository", async () => {
    const refused = async (given: Parameters<typeof startConfig>[0]) =>
      startConfig(given, createTestContext("config")).then(
        () => undefined,
        (error: { code: string }) => error.code,
      );
    expect(await refused(settings("releases.pem"))).to.equal("update_key_foreign");
    expect(await refused({ ...settings(), UPDATE_REPOSITORY: home.path })).to.equal(
      "update_repository_missing",
    );
    expect(await refused(settings("none.pem"))).to.equal("update_key_invalid");
  });
});
