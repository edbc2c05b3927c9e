import { expect } from "chai";
import {
  authorizationTypes,
  domainOf,
  progressReportTypes,
  reportTypes,
} from "../../services/shared/chain/typedData.ts";
import { keyOf, later } from "./support/market.ts";
import { expectRefused, expectRevert, refusalsOf, zeroHash } from "./support/refusals.ts";
import { authorizationOf, loadPartner, partner, place, state } from "./support/workspaces.ts";

describe("Signed messages", () => {
  it("count for their own chain and contract only", async () => {
    const market = await loadPartner();
    const { deployment, docker, progress, escrow, mined } = market;
    const { ref, fence } = await place(market);
    const signer = market.nodes.first.key;
    const report = { ...ref, fence, state: state.ready, detail: zeroHash, sequence: 1, deadline: later };
    const step = { ...ref, fence, milestone: 1, deadline: later };
    const grant = { ...authorizationOf(market), nonce: 77n };
    const wrong = (own: "DockerContract" | "Progress" | "Escrow") => [
      { ...domainOf(deployment, own), chainId: 1 },
      { ...domainOf(deployment, own), verifyingContract: deployment.contracts.ComputeNode },
      domainOf(deployment, "ComputeNode"),
    ];
    for (const domain of wrong("DockerContract")) {
      const signature = await signer.signTypedData({
        domain,
        types: reportTypes,
        primaryType: "Report",
        message: report,
      });
      const receipt = await mined(docker.write.reportBatch([[report], [signature]]));
      expectRefused(receipt, "SignatureInvalid", { signer: signer.address });
    }
    for (const domain of wrong("Progress")) {
      const signature = await signer.signTypedData({
        domain,
        types: progressReportTypes,
        primaryType: "ProgressReport",
        message: step,
      });
      const receipt = await mined(progress.write.reportBatch([[step], [signature]]));
      expectRefused(receipt, "SignatureInvalid", { signer: signer.address });
    }
    for (const domain of wrong("Escrow")) {
      const signature = await partner.signTypedData({
        domain,
        types: authorizationTypes,
        primaryType: "Authorization",
        message: grant,
      });
      await expectRevert(escrow.write.authorize([grant, signature]), "SignatureInvalid", {
        signer: partner.address,
      });
    }
  });

  it("of a stranger, or cut short, are refused and the rest of the batch is done", async () => {
    const market = await loadPartner();
    const { docker, mined } = market;
    const { ref, fence } = await place(market);
    const message = { ...ref, fence, state: state.ready, detail: zeroHash, sequence: 1, deadline: later };
    const sign = (name: string) =>
      keyOf(name).signTypedData({
        domain: domainOf(market.deployment, "DockerContract"),
        types: reportTypes,
        primaryType: "Report",
        message,
      });
    const good = await sign("node one");
    const receipt = await mined(
      docker.write.reportBatch([
        [message, message, message],
        [await sign("stranger"), "0x1234", good],
      ]),
    );
    const refused = refusalsOf(receipt).map(({ index, name }) => [index, name]);
    expect(refused).to.deep.equal([
      [0, "SignatureInvalid"],
      [1, "SignatureInvalid"],
    ]);
    expect((await docker.read.assignmentOf([ref.workspaceId, 0])).state).to.equal(state.ready);
  });
});
