import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { ackSignerOf, heartbeatRootOf, heartbeatTreeOf, signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import { expect } from "chai";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const deployment = {
  chainId: 10,
  contracts: { ComputeNode: `0x${"c0".repeat(20)}` },
} as unknown as Deployment;
const committer = privateKeyToAccount(`0x${"11".repeat(32)}`);

describe("Heartbeat acknowledgements", () => {
  it("prove each of their nodes with one signature", async () => {
    const nodeIds = [7, 1, 300, 4_294_967_295, 12];
    const { proofOf, ...ack } = await signHeartbeats(committer, deployment, 9n, nodeIds);
    for (const nodeId of nodeIds) {
      const signer = await ackSignerOf(deployment, { ...ack, nodeId, proof: proofOf(nodeId) });
      expect(signer).to.equal(committer.address);
    }
  });

  it("have one root that every node's proof results in, for any number of nodes", () => {
    for (const count of [1, 2, 3, 4, 5, 7, 8, 9, 33, 100]) {
      const nodeIds = Array.from({ length: count }, (_, position) => 3 * position + 1);
      const { root, proofOf } = heartbeatTreeOf(nodeIds);
      for (const nodeId of nodeIds) expect(heartbeatRootOf(nodeId, proofOf(nodeId))).to.equal(root);
    }
  });

  it("prove nothing for another node, slot or market", async () => {
    const { proofOf, ...ack } = await signHeartbeats(committer, deployment, 9n, [1, 2, 3]);
    const own = { ...ack, nodeId: 2, proof: proofOf(2) };
    expect(await ackSignerOf(deployment, { ...own, nodeId: 4 })).to.equal(undefined);
    expect(await ackSignerOf(deployment, { ...own, slot: 10n })).to.not.equal(committer.address);
    expect(await ackSignerOf({ ...deployment, chainId: 11 }, own)).to.not.equal(committer.address);
    expect(await ackSignerOf(deployment, { ...own, signature: "0x12" })).to.equal(undefined);
    expect(() => proofOf(4)).to.throw("Node 4");
  });

  it("have the leaf as root for a single node, and reject no nodes and duplicates", () => {
    const { root, proofOf } = heartbeatTreeOf([5]);
    expect(proofOf(5)).to.deep.equal([]);
    expect(heartbeatRootOf(5, [] as Hex[])).to.equal(root);
    expect(() => heartbeatTreeOf([])).to.throw(RangeError);
    expect(() => heartbeatTreeOf([1, 1])).to.throw(RangeError);
  });
});
