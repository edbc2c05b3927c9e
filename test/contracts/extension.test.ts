import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { encodeFunctionData, slice } from "viem";
import { loadMarket } from "./support/market.ts";
import { expectRevert, zeroHash } from "./support/reverts.ts";
import {
  authorizationOf,
  config,
  loadPartner,
  partner,
  publish,
  signAuthorization,
  workspaceSpec,
} from "./support/workspaces.ts";

const contracts = join(import.meta.dirname, "../../contracts");

/** A declaration of a state variable; constants and immutables are part of the code. */
const variable =
  /^ {4}(?:mapping\(.*\)|[A-Za-z][\w.[\]]*) (?:internal|private|public) (?!constant|immutable)_?\w+;$/gm;

describe("The extension of DockerContract", () => {
  it("runs on DockerContract's state, with the caller and the errors of the call", async () => {
    const market = await loadPartner();
    const { workspaceId } = await publish(market);
    expect(await market.docker.read.workspaceCount()).to.equal(workspaceId);
    const stranger = { account: market.people.outsider };
    await expectRevert(market.docker.write.closeWorkspace([workspaceId], stranger), "CallerNotAuthorized", {
      caller: market.people.outsider,
    });
  });

  it("stores nothing when it is called directly", async () => {
    const market = await loadPartner();
    const { owner } = market.people;
    const address = await market.docker.read.extension();
    const direct = { address, abi: dockerContractAbi, account: market.people.delegate } as const;
    const [wallet] = await market.connection.viem.getWalletClients();
    if (wallet === undefined) throw new Error("The simulated chain has no accounts.");
    const args = [owner, 1n, 1, workspaceSpec, config] as const;
    await expectRevert(wallet.writeContract({ ...direct, functionName: "publish", args }), "FunctionPaused");
    await expectRevert(
      wallet.writeContract({ ...direct, functionName: "closeWorkspace", args: [1n] }),
      "WorkspaceUnknown",
    );
  });

  it("of Escrow takes no deposit and no authorization when it is called directly", async () => {
    const market = await loadPartner();
    const message = { ...authorizationOf(market), nonce: 7n };
    const signature = await signAuthorization(market, message);
    const to = await market.escrow.read.extension();
    for (const data of [
      encodeFunctionData({ abi: escrowAbi, functionName: "deposit", args: [partner.address, 1n] }),
      encodeFunctionData({
        abi: escrowAbi,
        functionName: "depositWithPermit",
        args: [partner.address, 1n, 0n, 27, zeroHash, zeroHash],
      }),
      encodeFunctionData({ abi: escrowAbi, functionName: "authorize", args: [message, signature] }),
    ]) {
      await expectRevert(market.client.call({ to, data }), "FunctionPaused", { selector: slice(data, 0, 4) });
    }
  });

  it("refuses a call of an unknown function", async () => {
    const { client, docker } = await loadMarket();
    const call = client.call({ to: docker.address, data: "0xdeadbeef" });
    expect(
      await call.then(
        () => "accepted",
        () => "refused",
      ),
    ).to.equal("refused");
  });
});

describe("The two parts of a contract", () => {
  for (const [folder, owner] of [
    ["docker", "DockerState.sol"],
    ["escrow", "EscrowState.sol"],
  ] as const) {
    it(`have one layout: only ${owner} declares state variables`, () => {
      const files = globSync(`${folder}/*.sol`, { cwd: contracts });
      const declared = files.filter((file) => readFileSync(join(contracts, file), "utf8").match(variable));
      expect(declared).to.deep.equal([`${folder}/${owner}`]);
    });
  }
});
