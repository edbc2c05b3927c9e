import { request } from "node:http";
import { expect } from "chai";
import { toHex } from "viem";
import { eventually } from "../support/context.ts";
import {
  askForTunnel,
  echo,
  goodHandshake,
  type Handshake,
  handshakeHeaders,
  newAccount,
  untilClosed,
} from "./node.ts";
import { audience, type Setup, setup } from "./setup.ts";

describe("gateway: tunnels", () => {
  let market: Setup;
  before(async () => {
    market = await setup();
  });
  after(() => market.stop());

  const ask = async (handshake: Handshake) =>
    askForTunnel(market.url, await handshakeHeaders(market.deployment, handshake), echo("node"));

  it("opens for a registered node's signature and has a row in app.tunnel until it closes", async () => {
    const account = await market.addNode(1);
    const tunnel = await market.connectNode(account, echo("node"));
    const row = await eventually("a row", async () => {
      const found = await market.db.query("select * from app.tunnel where node_id = 1");
      return found.rows[0];
    });
    expect(row).to.include({ instance: "gateway-test", url: audience });
    tunnel.close();
    await eventually("no row", async () => {
      const found = await market.db.query("select from app.tunnel where node_id = 1");
      return found.rowCount === 0;
    });
  });

  it("refuses a used challenge", async () => {
    const handshake = goodHandshake(await market.addNode(2), audience);
    const first = await ask(handshake);
    expect(first).to.have.property("session");
    expect(await ask(handshake)).to.deep.equal({ status: 401, code: "challenge_used" });
    if ("session" in first) first.close();
  });

  it("refuses the key of no registered node", async () => {
    expect(await ask(goodHandshake(newAccount(), audience))).to.deep.equal({
      status: 403,
      code: "node_not_found",
    });
  });

  it("refuses a signature for another gateway, role or time, or by another key", async () => {
    const good = goodHandshake(await market.addNode(3), audience);
    const wrong = { status: 401, code: "signer_mismatch" };
    expect(await ask({ ...good, audience: "http://other.test" })).to.deep.equal(wrong);
    expect(await ask({ ...good, role: "node" })).to.deep.equal(wrong);
    expect(await ask({ ...good, time: good.time - 61 })).to.deep.equal({
      status: 401,
      code: "clock_skewed",
    });
    expect(await ask({ ...good, time: good.time + 75 })).to.deep.equal({
      status: 401,
      code: "clock_skewed",
    });
    const forged = await handshakeHeaders(market.deployment, { ...good, account: newAccount() });
    const headers = { ...forged, "x-ngpu-key": good.account.address };
    expect(await askForTunnel(market.url, headers, echo("node"))).to.deep.equal(wrong);
    const unrecoverable = { ...headers, "x-ngpu-signature": toHex(new Uint8Array(65)) };
    expect(await askForTunnel(market.url, unrecoverable, echo("node"))).to.deep.equal(wrong);
  });

  it("refuses missing headers and other protocols", async () => {
    const refused = await askForTunnel(market.url, {}, echo("node"));
    expect(refused).to.deep.equal({ status: 400, code: "handshake_invalid" });
    const status = await new Promise((resolve, reject) => {
      const asking = request(`${market.url}/v1/tunnel`, {
        headers: { connection: "Upgrade", upgrade: "websocket" },
      });
      asking.once("response", (response) => resolve(response.resume().statusCode));
      asking.once("error", reject);
      asking.end();
    });
    expect(status).to.equal(404);
  });

  it("uses the newest tunnel of a node", async () => {
    const account = await market.addNode(4);
    await market.setAssignments([{ workspace_id: 4, replica: 0, lease: 1, node_id: 4 }]);
    const old = await market.connectNode(account, echo("old"));
    await eventually("the old one serves", async () => (await market.route("/4/")).status === 200);
    const young = await market.connectNode(account, echo("young"));
    await untilClosed(old);
    const answer = (await (await market.route("/4/")).json()) as { name: string };
    expect(answer.name).to.equal("young");
    young.close();
  });

  it("closes a socket that does not speak HTTP/2", async () => {
    const account = await market.addNode(5);
    const headers = await handshakeHeaders(market.deployment, goodHandshake(account, audience));
    const asking = request(`${market.url}/v1/tunnel`, {
      headers: { ...headers, connection: "Upgrade", upgrade: "ngpu-tunnel" },
    });
    const closed = new Promise((resolve, reject) => {
      asking.once("error", reject);
      asking.once("upgrade", (_response, socket) => {
        socket.on("error", () => undefined);
        socket.once("close", resolve);
        socket.resume();
        socket.write("this is no HTTP/2 at all, but it is long enough to be seen as such\r\n\r\n");
      });
    });
    asking.end();
    await closed;
    const found = await market.db.query("select from app.tunnel where node_id = 5");
    expect(found.rowCount).to.equal(0);
  });
});
