import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { getAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { Power } from "../../support/chain.ts";
import { eventually } from "../support/context.ts";
import { joinedAt, joinNode } from "./client.ts";
import { setupMatch, type TestMatch } from "./setup.ts";

describe("match: the witness of lost nodes, in a process of its own", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let nodes: Awaited<ReturnType<typeof joinNode>>[];

  before(async () => {
    // Long slots, and no committer: a lost node stays online on the chain.
    test = await setupMatch({ slotSeconds: 30 });
    const serving = await test.startMatch("serving", {}, ["relayer", "acknowledger"]);
    await test.startMatch("keeper", {}, ["keeper"]);
    nodes = [];
    for (const pricePerSecond of [10n, 11n, 12n]) {
      nodes.push(await joinNode(serving.url, test.market.deployment, { pricePerSecond }));
    }
    for (const { peer } of nodes) peer.beat(test.market.deployment.parameters.slotSeconds);
  });
  after(() => test.stop());

  const addressOf = (power: Power) => privateKeyToAccount(test.market.powers[power]).address;
  const leaseOf = async (workspaceId: bigint) => {
    const { rows } = await test.db.query<{ node_id: number; release_reason: string | null }>(
      "select node_id, release_reason from chain.assignment where workspace_id = $1",
      [workspaceId],
    );
    return rows[0];
  };

  it("lets a keeper release leases of a node that is online, which the keeper alone does not", async () => {
    const { peer, nodeId } = joinedAt(nodes, 0);
    const workspace = await test.chain.publish({}, undefined, 1);
    await eventually("the workspace is exported", async () => {
      const { rowCount } = await test.db.query("select from chain.workspace where workspace_id = $1", [
        workspace.id,
      ]);
      return rowCount === 1;
    });
    await test.chain.assign(workspace, 0, nodeId);
    await eventually("the lease is exported", async () => (await leaseOf(workspace.id)) !== undefined);
    peer.vanish();
    await eventually("the keeper found the node lost", async () => {
      const { rowCount } = await test.db.query(
        "select from app.absence where node_id = $1 and lost_at < now() - interval '3 seconds'",
        [nodeId],
      );
      return rowCount === 1;
    });
    expect(await leaseOf(workspace.id)).to.deep.equal({ node_id: nodeId, release_reason: null });

    await test.startMatch("witness", {}, ["witness"]);
    await eventually("the lease is released", async () => {
      return (await leaseOf(workspace.id))?.release_reason === "lost";
    });
    const { client, deployment } = test.market;
    const [stated] = await client.getContractEvents({
      address: deployment.contracts.DockerContract,
      abi: dockerContractAbi,
      eventName: "LossStated",
      fromBlock: 0n,
    });
    expect(stated?.args.nodeId).to.equal(nodeId);
    expect(stated?.args.witness).to.equal(addressOf("witness"));
    const { from } = await client.getTransaction({ hash: stated?.transactionHash ?? "0x" });
    expect(getAddress(from)).to.equal(addressOf("keeper"));
  });

  it("has a database role that writes statements and nothing else", async () => {
    const { rows } = await test.db.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname in ('app', 'chain')
         and has_table_privilege('ngpu_witness', format('%I.%I', schemaname, tablename), 'insert, update, delete')`,
    );
    expect(rows.map(({ name }) => name)).to.have.members([
      "app.loss_statement",
      "app.heartbeat_cosigned",
      "app.offline_statement",
    ]);
  });
});
