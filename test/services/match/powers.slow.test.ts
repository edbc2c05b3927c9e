import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { privateKeyToAccount } from "viem/accounts";
import type { Power } from "../../support/chain.ts";
import { eventually } from "../support/context.ts";
import { joinNode, type Peer } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

describe("match, one process for each power", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let serving: Match;
  let peer: Peer;
  let nodeId: number;

  before(async () => {
    test = await setupMatch();
    serving = await test.startMatch("serving", {}, ["relayer", "acknowledger"]);
    ({ peer, nodeId } = await joinNode(serving.url, test.market.deployment));
    // A loss of all nodes would be suspected to be match's own outage.
    const other = await joinNode(serving.url, test.market.deployment);
    other.peer.beat(test.market.deployment.parameters.slotSeconds);
    peer.beat(test.market.deployment.parameters.slotSeconds);
  });
  after(() => test.stop());

  const addressOf = (power: Power) => privateKeyToAccount(test.market.powers[power]).address;

  /** The accounts that sent transactions to ComputeNode which emitted this event. */
  const sendersOf = async (event: "HeartbeatsCommitted" | "NodeStatusChanged" | "NodeRegistered") => {
    const { client, deployment } = test.market;
    const logs = await client.getContractEvents({
      address: deployment.contracts.ComputeNode,
      abi: computeNodeAbi,
      eventName: event,
      fromBlock: 0n,
    });
    const hashes = [...new Set(logs.map(({ transactionHash }) => transactionHash))];
    const sent = await Promise.all(hashes.map((hash) => client.getTransaction({ hash })));
    return [...new Set(sent.map(({ from }) => from.toLowerCase()))];
  };

  it("relays and acknowledges without any power on the chain", async () => {
    expect(await sendersOf("NodeRegistered")).to.deep.equal([addressOf("relayer").toLowerCase()]);
    const { signed } = await peer.next("ack", (ack) => ack.signed !== undefined, 30_000);
    expect(signed).to.not.equal(undefined);
    expect(await sendersOf("HeartbeatsCommitted")).to.deep.equal([]);
  });

  it("commits slots from the committer's process, which serves no sessions", async () => {
    const committer = await test.startMatch("committer", {}, ["committer"]);
    // In a market of two nodes each absence needs a cosigner.
    await test.startMatch("cosigner", {}, ["cosigner"]);
    await eventually(
      "a slot is committed",
      async () => (await sendersOf("HeartbeatsCommitted")).length > 0,
      60_000,
    );
    expect(await sendersOf("HeartbeatsCommitted")).to.deep.equal([addressOf("committer").toLowerCase()]);
    const answer = await fetch(`${committer.httpUrl}/v1/session`);
    expect(answer.status).to.equal(404);
  });

  it("marks a silent node offline with the committer's key, with no keeper running", async () => {
    peer.vanish();
    await eventually(
      "the node is offline",
      async () => {
        const { rows } = await test.db.query("select status from chain.node where node_id = $1", [nodeId]);
        return rows[0]?.status === "offline";
      },
      90_000,
    );
    expect(await sendersOf("NodeStatusChanged")).to.deep.equal([addressOf("committer").toLowerCase()]);
  });
});
