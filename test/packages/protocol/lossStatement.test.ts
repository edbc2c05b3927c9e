import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import { lossTypes, packLoss, signLoss } from "@ngpu/protocol/lossStatement";
import { expect } from "chai";
import { compactSignatureToSignature, recoverTypedDataAddress, serializeSignature } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { deploymentDocument } from "../../services/support/deployment.ts";

const account = privateKeyToAccount(`0x${"42".repeat(32)}`);
const deployment = parseDeployment(deploymentDocument);
const statement = { nodeId: 7, lastHeard: 1_800_000_000, statedAt: 1_800_000_010 };

describe("Statements of witnesses", () => {
  it("are packed as in PackedLosses.sol: node, last contact, time, and nothing else", () => {
    const signature = `0x${"11".repeat(32)}${"22".repeat(32)}1b` as const;
    expect(packLoss({ nodeId: 1, lastHeard: 2, statedAt: 3 }, signature)).to.deep.equal({
      head: `0x${"00000001"}${"0000000002"}${"0000000003"}${"0".repeat(36)}`,
      r: `0x${"11".repeat(32)}`,
      vs: `0x${"22".repeat(32)}`,
    });
  });

  it("are signed for one contract, also a replaced one", async () => {
    const at = "0x00000000000000000000000000000000000000aa";
    const { r, vs } = await signLoss(account, deployment, at, statement);
    const signature = serializeSignature(compactSignatureToSignature({ r, yParityAndS: vs }));
    const domain = domainOf(deployment, "DockerContract");
    const definition = { types: lossTypes, primaryType: "Lost", message: statement, signature } as const;
    const signerOf = (verifyingContract: typeof at) =>
      recoverTypedDataAddress({ ...definition, domain: { ...domain, verifyingContract } });
    expect(await signerOf(at)).to.equal(account.address);
    const current = await recoverTypedDataAddress({ ...definition, domain });
    expect(current).to.not.equal(account.address);
  });
});
