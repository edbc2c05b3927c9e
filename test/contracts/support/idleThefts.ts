import { pausesAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, statusChangeTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { encodeFunctionData, type Hex, parseEther, toFunctionSelector } from "viem";
import { later } from "./market.ts";
import { requestRound } from "./measure.ts";
import { expectRefused, expectRevert } from "./reverts.ts";
import { asManager, type Robbed } from "./thieves.ts";

const hour = 3_600;
const status = { online: 1, offline: 2, maintenance: 3 };

/** Keys that send what others signed, ask for what others do, or undo what others did. */
export const idleThefts: Record<string, (market: Robbed) => Promise<Hex>> = {
  // It repeats what it relayed, sends it late, and changes it. Only its own gas is spent.
  relayer: async (market) => {
    const { computeNode, honest, people } = market;
    const account = people.outsider;
    const sign = (sequence: number, to: number) => {
      const message = { nodeId: honest.id, status: to, sequence, deadline: later };
      const domain = domainOf(market.deployment, "ComputeNode");
      const typed = { domain, types: statusChangeTypes, primaryType: "StatusChange", message } as const;
      return honest.key.signTypedData(typed).then((signature) => ({ message, signature }));
    };
    const [older, newer] = [await sign(1, status.maintenance), await sign(2, status.maintenance)];
    const relay = ({ message, signature }: typeof older, changes: { status?: number } = {}) =>
      market.mined(
        computeNode.write.setStatusBatch([[{ ...message, ...changes }], [signature]], { account }),
      );
    await relay(newer);
    for (const late of [newer, older]) expectRefused(await relay(late), "SequenceStale");
    const next = await sign(3, status.online);
    expectRefused(await relay(next, { status: status.offline }), "SignatureInvalid");
    expect(await computeNode.read.statusOf([honest.id])).to.equal(status.maintenance);
    return account;
  },
  // It has every node measured, and each again while its round is open. Without measurers nothing comes of it.
  "measure keeper": async (market) => {
    const { measure, people, honest, thief } = market;
    const account = people.keeper;
    for (const { id } of [honest, thief]) {
      const { root } = await requestRound(market, id);
      const again = await market.mined(measure.write.request([[{ nodeId: id, draws: root }]], { account }));
      expectRefused(again, "MeasureNodeBusy");
    }
    return account;
  },
  // It may undo a pause, a day later.
  unpauser: async (market) => {
    const { people, deployment, pausesOf, connection } = market;
    const { Escrow } = deployment.contracts;
    const settle = toFunctionSelector("settle((uint64,uint16,uint32)[])");
    await pausesOf("Escrow").write.pause([[settle]], { account: people.guardian });
    await connection.networkHelpers.setBalance(people.unpauser, parseEther("1"));
    const manager = await asManager(market, people.unpauser);
    const data = encodeFunctionData({ abi: pausesAbi, functionName: "unpause", args: [[settle]] });
    await manager.schedule(Escrow, data);
    await market.time.increase(hour);
    await expectRevert(manager.execute(Escrow, data), "AccessManagerNotReady");
    return people.unpauser;
  },
};
