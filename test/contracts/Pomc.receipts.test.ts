import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { concatHex, type Hex, keccak256, parseEventLogs, toHex } from "viem";
import { expectRevert, zeroHash } from "./support/reverts.ts";
import { loadPartner, type PartnerFixture, partner, place, report, state } from "./support/workspaces.ts";

const root = keccak256("0x4e");
/** The first lease of the node's first workspace. */
const ofNode = (nodeId: number, amount: bigint): Hex =>
  toHex((BigInt(nodeId) << 224n) | (1n << 160n) | (1n << 112n) | amount, { size: 32 });
const ofPayer = (account: Hex, amount: bigint): Hex =>
  concatHex([account, toHex(amount, { size: 12 })]).toLowerCase() as Hex;

/** Node 1 was paid by the partner. */
async function paid() {
  const market = await loadPartner();
  const placed = await place(market);
  await report(market, placed, state.running, 1);
  await market.time.increase(99);
  await report(market, placed, state.stopped, 2);
  const earned = await market.escrow.read.totalEarnedBy([1]);
  expect(await market.escrow.read.totalSpentBy([partner.address])).to.equal(earned);
  return { market, earned };
}

const commit = (
  { pomc, people }: PartnerFixture,
  nodes: Hex[],
  payers: Hex[],
  account = people.receiptsPoster,
) => pomc.write.commitReceipts([root, nodes, payers], { account });

describe("Pomc: task receipts", () => {
  it("are recorded as a root with its totals, up to the payments to the escrow", async () => {
    const { market, earned } = await paid();
    const { pomc, mined } = market;
    const nodes = [ofNode(1, earned - 7n)];
    const payers = [ofPayer(partner.address, earned - 7n)];
    const receipt = await mined(commit(market, nodes, payers));
    const [event] = parseEventLogs({ abi: pomcAbi, eventName: "ReceiptsCommitted", logs: receipt.logs });
    expect(event?.args).to.deep.equal({
      number: 1n,
      root,
      total: earned - 7n,
      leaseTotals: nodes,
      payerTotals: payers,
    });
    expect(await pomc.read.receiptsRootOf([1n])).to.equal(root);
    expect(await pomc.read.receiptsRootOf([2n])).to.equal(zeroHash);
    await commit(market, [ofNode(1, 7n)], [ofPayer(partner.address, 3n), ofPayer(partner.address, 4n)]);
    expect(await pomc.read.lastReceipts()).to.equal(2n);
    expect(await pomc.read.receiptsOfNode([1])).to.equal(earned);
    expect(await pomc.read.receiptsOfPayer([partner.address])).to.equal(earned);
    const above = { receipts: earned + 1n };
    await expectRevert(commit(market, [ofNode(1, 1n)], []), "ReceiptsExceedEarned", {
      nodeId: 1,
      earned,
      ...above,
    });
    await expectRevert(commit(market, [], [ofPayer(partner.address, 1n)]), "ReceiptsExceedSpent", {
      account: partner.address,
      spent: earned,
      ...above,
    });
  });

  it("are refused from others, without a root, unbalanced, without payments, or too many", async () => {
    const { market, earned } = await paid();
    const { pomc, people } = market;
    const outsider = { caller: people.outsider };
    await expectRevert(commit(market, [], [], people.outsider), "CallerNotReceiptsPoster", outsider);
    await expectRevert(
      pomc.write.commitReceipts([zeroHash, [], []], { account: people.receiptsPoster }),
      "ReceiptsRootZero",
    );
    await expectRevert(
      commit(market, [ofNode(1, 5n)], [ofPayer(partner.address, 6n)]),
      "ReceiptsUnbalanced",
      { leasesTotal: 5n, payersTotal: 6n },
    );
    await expectRevert(commit(market, [ofNode(2, 1n)], []), "ReceiptsExceedEarned", {
      nodeId: 2,
      earned: 0n,
    });
    await expectRevert(commit(market, [ofNode(1, 1n)], [ofPayer(people.owner, 1n)]), "ReceiptsExceedSpent");
    const many = Array(513).fill(ofNode(1, 0n));
    await expectRevert(commit(market, many, []), "ReceiptsTooMany", { totals: 513n, limit: 512n });
    expect(await pomc.read.receiptsOfNode([1])).to.equal(0n);
    expect(earned > 0n).to.equal(true);
  });
});
