import { expect } from "chai";
import { nodeLogFilter } from "../../node-client/events.ts";
import { parseDeployment } from "../../services/shared/chain/deployment.ts";
import { addressesOf, addressFor } from "../../services/shared/chain/generations.ts";
import { domainOf } from "../../services/shared/chain/typedData.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

const at = (digit: string) => `0x${digit.repeat(40)}`;
const wide = 2 ** 40;
const { contracts, parameters } = deploymentDocument;

/** The market was replaced, then Measure, then the market again. */
const deployment = parseDeployment({
  ...deploymentDocument,
  parameters: { ...parameters, before: { workspaces: 2 * wide, rounds: wide, epochs: 9 } },
  former: [
    {
      succession: "market",
      contracts: { DockerContract: at("a"), Escrow: at("b"), Progress: at("c"), Pomc: at("d") },
      parameters,
    },
    { succession: "measure", contracts: { Measure: at("e") }, parameters: { before: { workspaces: wide } } },
    {
      succession: "market",
      contracts: { DockerContract: at("f"), Escrow: at("0"), Progress: at("9"), Pomc: at("1") },
      parameters: { before: { workspaces: wide, rounds: wide } },
    },
  ],
});

describe("Generations of contracts", () => {
  it("are found by the ids that each gives", () => {
    const docker = (workspaceId: bigint) => addressFor(deployment, "DockerContract", { workspaceId });
    const last = BigInt(wide);
    expect([1n, last].map(docker)).to.deep.equal([at("a"), at("a")]);
    expect([last + 1n, 2n * last].map(docker)).to.deep.equal([at("f"), at("f")]);
    expect(docker(2n * last + 1n)).to.equal(contracts.DockerContract);
    const measure = (roundId: bigint) => addressFor(deployment, "Measure", { roundId });
    expect([last, last + 1n].map(measure)).to.deep.equal([at("e"), contracts.Measure]);
  });

  it("are the present ones for what has no such id, and for what was never replaced", () => {
    expect(addressFor(deployment, "Measure", {})).to.equal(contracts.Measure);
    expect(addressFor(deployment, "ComputeNode", { workspaceId: 1n })).to.equal(contracts.ComputeNode);
    const first = parseDeployment(deploymentDocument);
    expect(addressFor(first, "DockerContract", { workspaceId: 1n })).to.equal(contracts.DockerContract);
  });

  it("are what a message is signed for", () => {
    const of = (workspaceId: bigint) => domainOf(deployment, "Progress", { workspaceId }).verifyingContract;
    expect([of(1n), of(BigInt(wide) + 5n)]).to.deep.equal([at("c"), at("9")]);
    expect(domainOf(deployment, "Escrow").verifyingContract).to.equal(contracts.Escrow);
  });

  it("are all followed by a node", () => {
    expect(addressesOf(deployment, "Escrow")).to.deep.equal([at("b"), at("0"), contracts.Escrow]);
    expect(nodeLogFilter(deployment, 1).addresses).to.have.members([
      ...[at("a"), at("f"), contracts.DockerContract, at("b"), at("0"), contracts.Escrow],
      ...[at("c"), at("9"), contracts.Progress, at("e"), contracts.Measure],
    ]);
  });
});
