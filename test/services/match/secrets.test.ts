import { createPool, type Database } from "@ngpu/db/pool";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { createSecretClient, type SecretClient } from "../../../node-client/secrets/secretClient.ts";
import { startSecretDelivery } from "../../../services/apiServer/secretDelivery.ts";
import { createSecretVault } from "../../../services/apiServer/secretVault.ts";
import { insertRow } from "../support/chainTables.ts";
import { asRole, eventually } from "../support/context.ts";
import { joinNode, type Peer } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

const vault = createSecretVault(["a-key-of-more-than-thirty-two-characters"]);
type Node = { peer: Peer; nodeId: number };

describe("match: secrets of leases", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let match: Match;
  let node: Node;
  let other: Node;
  let lease: { workspaceId: bigint; replica: number; lease: number; fence: `0x${string}` };
  let api: Database;
  const stopping = new AbortController();
  const clients = new Map<number, SecretClient>();
  let delivery: ReturnType<typeof startSecretDelivery> | undefined;

  before(async () => {
    test = await setupMatch();
    match = await test.startMatch("match-a");
    node = await joinNode(match.url, test.market.deployment);
    other = await joinNode(match.url, test.market.deployment);
    const workspace = await test.chain.publish();
    await test.chain.assign(workspace, 0, node.nodeId);
    lease = await eventually("the lease in Postgres", async () => {
      const { rows } = await test.db.query<{ fence: `0x${string}` }>(
        "select fence from chain.assignment where workspace_id = $1",
        [workspace.id],
      );
      return rows[0] && { workspaceId: workspace.id, replica: 0, lease: 1, fence: rows[0].fence };
    });
    const config = JSON.stringify({ image: "image", ports: [80], secrets: { env: ["TOKEN"] } });
    await test.db.query("update chain.workspace set config = $1", [config]);
    const { rows } = await test.db.query<{ owner: string }>("select owner from chain.workspace");
    const wallet = String(rows[0]?.owner);
    await insertRow(test.db, "app.account", { wallet });
    const sealed = vault.seal({ wallet, name: "TOKEN" }, Buffer.from("the value"));
    await test.db.query(
      "insert into app.secret (wallet, name, sealed, key_id, bytes) values ($1, 'TOKEN', $2, $3, 9)",
      [wallet, sealed, vault.newestKeyId],
    );
    api = createPool({ url: asRole(test.database.url, "ngpu_api"), name: "api" });
  });
  after(async () => {
    stopping.abort();
    await delivery?.done;
    await api.end();
    await test.stop();
  });

  /** The node client's own requests, over its session. A message of a session has one reader. */
  const clientOf = ({ peer, nodeId }: Node): SecretClient => {
    const known = clients.get(nodeId);
    if (known !== undefined) return known;
    const client = createSecretClient({
      account: peer.account,
      deployment: test.market.deployment,
      deadline: 20_000,
      send: (message) => {
        peer.send(message);
        return true;
      },
    });
    const pass = async () => {
      for (;;) client.take(await peer.next("secrets"));
    };
    // It ends with the session.
    pass().catch(() => undefined);
    clients.set(nodeId, client);
    return client;
  };
  const codeOf = async (work: Promise<unknown>) => {
    try {
      await work;
      return "none";
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  const stored = async () => (await test.db.query("select from app.secret_request")).rowCount;

  it("are asked for while nobody answers, and arrive once the API does", async () => {
    const asked = clientOf(node).fetch(lease);
    await eventually("the request", async () => (await stored()) === 1);
    const { deployment } = test.market;
    const logger = createLogger("api", "silent");
    delivery = startSecretDelivery({ db: api, deployment, vault, logger, signal: stopping.signal });
    const values = await asked;
    expect(String(values.get("TOKEN"))).to.equal("the value");
    // The answer is gone from Postgres once it is sent.
    await eventually("no request", async () => (await stored()) === 0);
  });

  it("do not reach a node without the lease, nor for another lease of the node", async () => {
    const codes = [clientOf(other).fetch(lease), clientOf(node).fetch({ ...lease, lease: 2 })].map(codeOf);
    expect(await Promise.all(codes)).to.deep.equal(["secrets_unavailable", "secrets_unavailable"]);
  });

  it("that are not set are named", async () => {
    await test.db.query("delete from app.secret");
    let names: unknown;
    try {
      await clientOf(node).fetch(lease);
    } catch (error) {
      ({ names } = (error as { details: { names: unknown } }).details);
    }
    expect(names).to.deep.equal(["TOKEN"]);
  });

  it("need a session", async () => {
    const client = createSecretClient({
      account: node.peer.account,
      deployment: test.market.deployment,
      send: () => false,
    });
    expect(await codeOf(client.fetch(lease))).to.equal("secrets_unavailable");
  });
});
