import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { hashDocument } from "@ngpu/rewards/document";
import { expect } from "chai";
import type { Hex } from "viem";
import { recomputeEpoch } from "../../cli/audit/recompute.ts";
import { verifyEpoch, verifyReward } from "../../cli/audit/verifyEpoch.ts";
import { account, earned, marketLogs, type RecordedMarket, serveMarket } from "./recordedMarket.ts";
import { run, sourceOf } from "./runVerify.ts";

const honest = claimTreeOf([{ account, cumulative: earned }]);

describe("verify epoch and verify reward, from an RPC endpoint alone", () => {
  let market: RecordedMarket | undefined;

  const serve = async (root: Hex, total: bigint, dataHash?: Hex) => {
    market = await serveMarket(marketLogs(root, total, dataHash));
    return sourceOf(market);
  };
  afterEach(async () => {
    await market?.close();
    market = undefined;
  });

  it("recompute an honest epoch's root and each account's grant", async () => {
    const options = await serve(honest.root, earned);
    const { root, total, leaves, document } = await recomputeEpoch(1, options);
    expect([root, total]).to.deep.equal([honest.root, earned]);
    expect(leaves.map((leaf) => [leaf.account, leaf.cumulative])).to.deep.equal([[account, earned]]);
    await market?.close();
    const valid = await serve(honest.root, earned, hashDocument(document));
    expect(await run(() => verifyEpoch("1", valid))).to.deep.include({ code: 0 });
    const stated = { ...valid, epoch: "1", cumulative: String(earned) };
    const { code, output } = await run(() => verifyReward(account, stated));
    expect(code).to.equal(0);
    expect(output.checks).to.deep.equal({ root: true, total: true, dataHash: true, cumulative: true });
    // A watcher attests only with a key.
    const refused = await verifyEpoch("1", { ...valid, attestWith: valid.deployment }).catch(
      (error) => error,
    );
    expect(refused).to.include({ code: "watcher_key_invalid" });
  });

  it("find a document that was stated falsely although the root is honest, and attest nothing then", async () => {
    const options = await serve(honest.root, earned);
    const { code, output } = await run(() => verifyEpoch("1", { ...options, attestWith: "/nowhere" }));
    expect(code).to.equal(2);
    expect(output.checks).to.deep.equal({ root: true, total: true, dataHash: false });
  });

  it("find a root that grants one unit more, and a root that grants another account", async () => {
    for (const leaf of [
      { account, cumulative: earned + 1n },
      { account: `0x${"7".repeat(40)}`, cumulative: earned },
    ]) {
      const options = await serve(claimTreeOf([leaf]).root, leaf.cumulative);
      const { code, output } = await run(() => verifyEpoch("1", options));
      expect(code).to.equal(2);
      expect(output).to.deep.include({ holds: false });
      expect(output.checks).to.include({ root: false, total: leaf.cumulative === earned });
      await market?.close();
      market = undefined;
    }
  });

  it("find an amount that was stated falsely although the root is honest", async () => {
    const options = await serve(honest.root, earned);
    const stated = { ...options, epoch: "1", cumulative: String(earned - 1n) };
    const { code, output } = await run(() => verifyReward(account, stated));
    expect(code).to.equal(2);
    expect(output.checks).to.include({ root: true, cumulative: false });
  });

  it("refuse what is no epoch, no posted epoch and no account", async () => {
    const options = await serve(honest.root, earned);
    const codeOf = (refused: Promise<void>) =>
      refused.then(
        () => "",
        ({ code }: { code: string }) => code,
      );
    expect(await codeOf(verifyEpoch("0", options))).to.equal("epoch_number_invalid");
    expect(await codeOf(verifyEpoch("2", options))).to.equal("epoch_not_posted");
    expect(await codeOf(verifyReward("0x12", options))).to.equal("address_invalid");
  });
});
