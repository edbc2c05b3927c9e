import { dockerContractAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { expect } from "chai";
import {
  concatHex,
  encodeFunctionData,
  type Hex,
  keccak256,
  parseEther,
  toFunctionSelector,
  toHex,
} from "viem";
import { idleThefts } from "./idleThefts.ts";
import { stateLoss, witness } from "./losses.ts";
import { keyOf } from "./market.ts";
import { bindWallet } from "./nodes.ts";
import { acknowledger, commitCosigned, cosigner, disputeOf, markOffline } from "./presence.ts";
import { expectRefused, expectRevert } from "./reverts.ts";
import { asManager, honestLeases, type Robbed, refOf } from "./thieves.ts";
import { partner } from "./workspaces.ts";

const day = 86_400;

/** The last slot that has ended. */
async function endedSlot({ time, deployment }: Robbed): Promise<bigint> {
  return BigInt(Math.floor((await time.latest()) / deployment.parameters.slotSeconds)) - 1n;
}

/** Lets an account that only signs send transactions. */
async function fund({ connection }: Robbed, address: Hex): Promise<void> {
  await connection.networkHelpers.impersonateAccount(address);
  await connection.networkHelpers.setBalance(address, parseEther("1"));
}

/** Keys that move nobody's money: what each may do, tried in full. Everything that its account has afterwards is loot. */
export const harmless: Record<string, (market: Robbed) => Promise<Hex>> = {
  "node, wallet bound": async (market) => {
    const { address } = market.honest.key;
    await bindWallet(market, market.honest, keyOf("the operator's wallet"));
    await market.escrow.write.collect([[market.honest.id]]);
    const theft = bindWallet(market, market.honest, keyOf("the thief's wallet"), 2);
    await theft.catch(() => undefined);
    await market.escrow.write.collect([[market.honest.id]]);
    return address;
  },
  committer: async (market) => {
    const { people, computeNode, honest, thief } = market;
    const account = people.committer;
    const { encoding, nodeCount, bits } = encodeHeartbeats(2, new Set());
    const code = encoding === "bitmap" ? 0 : 1;
    const alone = computeNode.write.commitHeartbeats([await endedSlot(market), code, nodeCount, bits], {
      account,
    });
    await expectRevert(alone, "HeartbeatsUncosigned");
    for (const { id } of [honest, thief]) {
      const marked = await markOffline(market, [id], { signer: keyOf("committer") });
      expectRefused(marked, "CosignerUnknown");
    }
    return account;
  },
  // It says that nobody was there, and that all are offline. Nobody has to believe it.
  cosigner: async (market) => {
    const { address } = cosigner;
    await fund(market, address);
    const nobody = encodeHeartbeats(2, new Set());
    const commit = commitCosigned(market, await endedSlot(market), nobody, { account: address });
    await expectRevert(commit, "CallerNotCommitter");
    const marking = markOffline(market, [market.honest.id], { account: address });
    await expectRevert(marking, "CallerNotCommitter");
    return address;
  },
  // Together they take the presence of everybody, until it is disputed.
  "committer and cosigner": async (market) => {
    await commitCosigned(market, await endedSlot(market), encodeHeartbeats(2, new Set()));
    await markOffline(market, [market.honest.id, market.thief.id]);
    return market.people.committer;
  },
  // It gives its node presence that was not, which waves and measurers judge.
  acknowledger: async (market) => {
    const dispute = await disputeOf(market, await endedSlot(market), { nodeIds: [market.thief.id] });
    await market.computeNode.write.disputeHeartbeats([[dispute]]);
    return acknowledger.address;
  },
  ...idleThefts,
  "receipts' poster": async ({ people, pomc, escrow, honest }) => {
    const account = people.receiptsPoster;
    const paid = await escrow.read.totalEarnedBy([honest.id]);
    const lease = toHex((BigInt(honest.id) << 224n) | (1n << 160n) | (1n << 112n) | paid, { size: 32 });
    const payer = concatHex([partner.address, toHex(paid, { size: 12 })]);
    await pomc.write.commitReceipts([keccak256("0x"), [lease], [payer]], { account });
    return account;
  },
  watcher: async ({ people, pomc }) => {
    const account = people.watcher;
    const attest = pomc.write.attestEpoch([1n, `0x${"1".repeat(40)}`], { account });
    await expectRevert(attest, "EpochUnknown");
    return account;
  },
  guardian: async ({ people, pausesOf }) => {
    const account = people.guardian;
    const settle = toFunctionSelector("settle((uint64,uint16,uint32)[])");
    await pausesOf("Escrow").write.pause([[settle]], { account });
    return account;
  },
  witness: async (market) => {
    const { runs } = await honestLeases(market);
    const loss = await stateLoss(market, market.honest.id);
    const args = [runs.map(refOf), runs.map(({ spec }) => spec), [loss]] as const;
    const { address } = witness;
    await fund(market, address);
    await expectRevert(market.docker.write.releaseLost(args, { account: address }), "CallerNotKeeper");
    return address;
  },
  // It appoints itself, and ends the powers of the market's own keeper.
  operations: async (market) => {
    const { DockerContract } = market.deployment.contracts;
    const manager = await asManager(market, market.operations);
    const args = [market.operations, true] as const;
    const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "setKeeper", args });
    await manager.schedule(DockerContract, data);
    const { keeper } = market.people;
    await market.docker.write.dismiss([keeper], { account: market.operations });
    expect(await market.docker.read.isKeeper([keeper])).to.equal(false);
    await market.time.increase(day - 10);
    await expectRevert(manager.execute(DockerContract, data), "AccessManagerNotReady");
    return market.operations;
  },
  "ADMIN and governance": async (market) => {
    const { Token } = market.deployment.contracts;
    const manager = await asManager(market, market.admin);
    const args = [market.admin, parseEther("1000000")] as const;
    const data = encodeFunctionData({ abi: tokenAbi, functionName: "setMinter", args });
    await manager.schedule(Token, data);
    await market.time.increase(day);
    await expectRevert(manager.execute(Token, data), "AccessManagerNotReady");
    return market.admin;
  },
};
