import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { addressesOf, addressFor, byContract, type Ids } from "@ngpu/contracts-sdk/generations";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { nodeLogFilter } from "../../../node-client/events.ts";
import { deploymentDocument } from "../../services/support/deployment.ts";

const at = (digit: string) => `0x${digit.repeat(40)}`;
const wide = 2 ** 40;
const { contracts, parameters } = deploymentDocument;

/** The market contracts were replaced, then Measure, then the market contracts again. */
const deployment = parseDeployment({
  ...deploymentDocument,
  parameters: { ...parameters, before: { workspaces: 2 * wide, rounds: wide, epochs: 9 } },
  previous: [
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
  it("are found by the ids that each issued", () => {
    const docker = (workspaceId: bigint) => addressFor(deployment, "DockerContract", { workspaceId });
    const last = BigInt(wide);
    expect([1n, last].map(docker)).to.deep.equal([at("a"), at("a")]);
    expect([last + 1n, 2n * last].map(docker)).to.deep.equal([at("f"), at("f")]);
    expect(docker(2n * last + 1n)).to.equal(contracts.DockerContract);
    const measure = (roundId: bigint) => addressFor(deployment, "Measure", { roundId });
    expect([last, last + 1n].map(measure)).to.deep.equal([at("e"), contracts.Measure]);
  });

  it("are found for an escrow's authorizations and leases, and for its last Pomc", () => {
    const replaced = parseDeployment({
      ...deploymentDocument,
      parameters: {
        ...parameters,
        before: { workspaces: wide, authorizations: wide, epochs: 9, batches: 3 * wide },
      },
      previous: [
        { contracts: { Pomc: at("a") }, parameters },
        {
          contracts: { DockerContract: at("f"), Escrow: at("b"), Progress: at("9"), Pomc: at("c") },
          parameters: { before: { epochs: 4, batches: wide } },
        },
        {
          contracts: { Pomc: at("d") },
          parameters: {
            before: { workspaces: wide, authorizations: wide, epochs: 7, batches: 2 * wide },
          },
        },
      ],
    });
    const pomc = (ids: Ids) => addressFor(replaced, "Pomc", ids);
    expect([4n, 5n, 7n, 8n, 9n].map((epoch) => pomc({ epoch }))).to.deep.equal(
      ["a", "c", "c", "d", "d"].map(at),
    );
    expect(pomc({ epoch: 10n })).to.equal(contracts.Pomc);
    const last = BigInt(wide);
    expect(pomc({ workspaceId: last })).to.equal(at("c"));
    expect(pomc({ workspaceId: last + 1n })).to.equal(contracts.Pomc);
    expect([1n, last + 1n].map((batch) => pomc({ batch }))).to.deep.equal([at("a"), at("c")]);
    expect(pomc({ batch: 3n * last })).to.equal(at("d"));
    const escrow = (ids: Ids) => addressFor(replaced, "Escrow", ids);
    expect([escrow({ authorizationId: last }), escrow({ workspaceId: 1n })]).to.deep.equal([
      at("b"),
      at("b"),
    ]);
    expect(escrow({ authorizationId: last + 1n })).to.equal(contracts.Escrow);
  });

  it("receive their items of a batch, in its order", () => {
    const ids = [1n, 3n * BigInt(wide), 2n, BigInt(wide) + 1n];
    const groups = byContract(deployment, "DockerContract", ids, (workspaceId) => ({ workspaceId }));
    expect([...groups]).to.deep.equal([
      [at("a"), [1n, 2n]],
      [contracts.DockerContract, [3n * BigInt(wide)]],
      [at("f"), [BigInt(wide) + 1n]],
    ]);
  });

  it("are the current ones without such an id, and for a contract that was never replaced", () => {
    expect(addressFor(deployment, "Measure", {})).to.equal(contracts.Measure);
    expect(addressFor(deployment, "ComputeNode", { workspaceId: 1n })).to.equal(contracts.ComputeNode);
    const first = parseDeployment(deploymentDocument);
    expect(addressFor(first, "DockerContract", { workspaceId: 1n })).to.equal(contracts.DockerContract);
  });

  it("select the signing domain of a message", () => {
    const of = (workspaceId: bigint) => domainOf(deployment, "Progress", { workspaceId }).verifyingContract;
    expect([of(1n), of(BigInt(wide) + 5n)]).to.deep.equal([at("c"), at("9")]);
    expect(domainOf(deployment, "Escrow").verifyingContract).to.equal(contracts.Escrow);
  });

  it("are all followed by a node", () => {
    expect(addressesOf(deployment, "Escrow")).to.deep.equal([at("b"), at("0"), contracts.Escrow]);
    expect(nodeLogFilter(deployment, 1).addresses).to.have.members([
      at("a"),
      at("f"),
      contracts.DockerContract,
      at("b"),
      at("0"),
      contracts.Escrow,
      at("c"),
      at("9"),
      contracts.Progress,
      at("e"),
      contracts.Measure,
    ]);
  });
});
