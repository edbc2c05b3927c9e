import {
  computeNodeAbi,
  dockerContractAbi,
  escrowAbi,
  pomcAbi,
  tokenAbi,
} from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import type { EpochDocument } from "@ngpu/rewards/document";
import { type Address, concatHex, encodeFunctionData, type Hex, keccak256, toHex } from "viem";
import { saveEpoch } from "../../../services/pomc/epochStore.ts";
import { accounts } from "../workspace/chain.ts";
import {
  addNode,
  assign,
  fund,
  type LeaseRef,
  orders,
  type Published,
  publish,
} from "../workspace/chainActions.ts";
import { report } from "../workspace/nodeReports.ts";
import type { Act, ActKind } from "./anyLife.ts";
import type { ApiMarket } from "./setup.ts";

type Held = { ref: LeaseRef; nodeId: number; name: string };
type Place = { name: string; nodeId: number };

export const wallet = accounts.owner.address.toLowerCase() as Address;
const price = 1_000n;

/** Plays a wallet's acts with the contracts. What a contract refuses changes nothing; `done` counts what was not refused. */
export async function createLife({ chain, db, market }: ApiMarket) {
  const { call, client, deployment, pass } = chain;
  const { parameters, contracts } = deployment;
  const own: Place = {
    name: "own node",
    nodeId: await addNode(chain, "own node", 60, undefined, accounts.owner.address),
  };
  const strange: Place = { name: "strange node", nodeId: await addNode(chain, "strange node", 60) };
  const done = new Map<ActKind, number>();
  const workspaces: { published: Published; held: Held[] }[] = [];
  const granted = {
    epoch: 0,
    cumulative: 0n,
    withheld: 0n,
    claim: undefined as undefined | (() => Promise<unknown>),
  };

  const accept = { abi: computeNodeAbi, functionName: "acceptNodes", args: [[own.nodeId], ["0x"]] } as const;
  await call("owner", "ComputeNode", encodeFunctionData(accept));
  const authorizationId = await fund(chain, 4_000n);

  const now = async () => Number((await client.getBlock()).timestamp);
  const goTo = async (time: number) => pass(Math.max(1, time - (await now())));
  const token = (functionName: "transfer" | "approve", to: Address, amount: bigint) =>
    encodeFunctionData({ abi: tokenAbi, functionName, args: [to, amount] });
  const escrow = <Name extends "settle" | "collect">(functionName: Name, args: readonly unknown[]) =>
    call("relayer", "Escrow", encodeFunctionData({ abi: escrowAbi, functionName, args } as never));
  const read = <Result>(functionName: string, args: readonly unknown[]) =>
    client.readContract({
      address: contracts.Escrow,
      abi: escrowAbi,
      functionName,
      args,
    } as never) as Promise<Result>;
  const deposit = async (person: "owner" | "treasury", amount: bigint) => {
    await call(person, "Token", token("approve", contracts.Escrow, amount));
    const args = [accounts.owner.address, amount] as const;
    await call(person, "Escrow", encodeFunctionData({ abi: escrowAbi, functionName: "deposit", args }));
  };
  const leases = () => workspaces.flatMap(({ held }) => held);
  const picked = <Item>(items: readonly Item[], choice: number): Item => {
    if (items.length === 0) throw new Error("There is nothing to choose from.");
    return items[choice % items.length] as Item;
  };
  const bringUp = async (workspace: (typeof workspaces)[number], replica: number, choice: number) => {
    const place = picked([own, strange], choice);
    const ref = await assign(chain, workspace.published, { replica, nodeId: place.nodeId, start: true });
    workspace.held.push({ ref, ...place });
    await report(chain, place.name, ref, "ready");
    if (choice !== 7) await report(chain, place.name, ref, "running");
  };

  /** Ends the leases that the deposit does not cover, and adds enough for a new one. */
  const refill = async () => {
    await escrow("settle", [leases().map(({ ref }) => ref)]);
    await deposit("treasury", 1_000n * price);
  };
  /** A replica that ran on a node for some minutes, and was paid for. */
  const paidLease = async (choice: number) => {
    await refill();
    const workspace = {
      published: await publish(chain, { authorizationId, replicas: 2 }),
      held: [] as Held[],
    };
    workspaces.push(workspace);
    await bringUp(workspace, 0, choice);
    await pass(300);
    await escrow("settle", [leases().map(({ ref }) => ref)]);
    return picked(workspace.held, 0);
  };
  const anyWorkspace = async (choice: number) => {
    if (workspaces.length === 0) await paidLease(choice % 2);
    return picked(workspaces, choice);
  };

  const play: Record<ActKind, (size: bigint, choice: number) => Promise<unknown>> = {
    deposit: async (size) => {
      await call("treasury", "Token", token("transfer", accounts.owner.address, price * size));
      await deposit("owner", price * size);
    },
    gift: (size) => deposit("treasury", size),
    withdraw: async (size, choice) => {
      const free = await read<bigint>("withdrawableOf", [wallet]);
      const to = choice < 6 ? accounts.owner.address : accounts.match.address;
      const args = [(free * size) / 1_000n, to] as const;
      return call("owner", "Escrow", encodeFunctionData({ abi: escrowAbi, functionName: "withdraw", args }));
    },
    send: (size) => call("owner", "Token", token("transfer", accounts.match.address, size)),
    // A transfer straight to the escrow is no deposit.
    receive: async (size, choice) => {
      await call("treasury", "Token", token("transfer", accounts.owner.address, 2n * size));
      if (choice === 0) await call("owner", "Token", token("transfer", contracts.Escrow, size));
      if (choice === 1) await call("owner", "Token", token("transfer", accounts.owner.address, size));
    },
    burn: async (size) => {
      await call("treasury", "Token", token("transfer", accounts.owner.address, size));
      const args = [size] as const;
      return call("owner", "Token", encodeFunctionData({ abi: tokenAbi, functionName: "burn", args }));
    },
    publish: async (_size, choice) => {
      if (choice % 2 === 0) await refill();
      const workspace = { published: await publish(chain, { authorizationId, replicas: 2 }), held: [] };
      workspaces.push(workspace);
      await bringUp(workspace, 0, choice);
    },
    scale: async (_size, choice) => {
      await refill();
      const workspace = await anyWorkspace(choice);
      const replica = workspace.held.length;
      await orders.scale(chain, workspace.published.workspaceId, replica + 1);
      await bringUp(workspace, replica, choice);
    },
    stop: async (_size, choice) => {
      const { published, held } = await anyWorkspace(choice);
      await orders.stop(
        chain,
        published.workspaceId,
        held.map(({ ref }) => ref),
      );
      const [first] = held;
      if (first !== undefined && choice < 4) await report(chain, first.name, first.ref, "stopped");
    },
    start: async (_size, choice) => {
      const { published, held } = await anyWorkspace(choice);
      await orders.start(
        chain,
        published.workspaceId,
        held.map(({ ref }) => ref),
      );
    },
    remove: async (_size, choice) => {
      await anyWorkspace(choice);
      const { ref, name } = picked(leases(), choice);
      const remove = { abi: dockerContractAbi, functionName: "requestDelete", args: [[ref]] } as const;
      await call("owner", "DockerContract", encodeFunctionData(remove));
      if (choice < 6) await report(chain, name, ref, "deleted");
    },
    pass: (size) => pass(Number(size) * 3),
    settle: () => escrow("settle", [leases().map(({ ref }) => ref)]),
    collect: async () => {
      await paidLease(0);
      await pass((2 * parameters.refundDays + 1) * parameters.daySeconds);
      return escrow("collect", [[own.nodeId, strange.nodeId]]);
    },
    receipts: async (size, choice) => {
      const { ref, nodeId } = await paidLease(choice % 2);
      const word = (BigInt(nodeId) << 224n) | (ref.workspaceId << 160n) | (BigInt(ref.lease) << 112n);
      const nodes = [toHex(word | size, { size: 32 })];
      // Two totals of one payer in a batch.
      const payers = [size - size / 2n, size / 2n].map((part) =>
        concatHex([wallet, toHex(part, { size: 12 })]),
      );
      const args = [keccak256(toHex(await now())), nodes, payers] as const;
      return call(
        "receiptsPoster",
        "Pomc",
        encodeFunctionData({ abi: pomcAbi, functionName: "commitReceipts", args }),
      );
    },
    refund: async (size, choice) => refund(await paidLease(choice % 2), Number(size)),
    reward: (size) => reward(size),
    claim: async () => {
      if (granted.claim === undefined) await reward(7n);
      await pass(parameters.activationDelay);
      return granted.claim?.();
    },
  };

  async function refund({ ref, nodeId }: Held, downSeconds: number): Promise<unknown> {
    const { daySeconds, heartbeatWindowSeconds, uptimeDelay } = parameters;
    const day = BigInt(Math.floor((await now()) / daySeconds));
    const item = { day, ...ref, nodeId, authorizationId, rate: price, downSeconds };
    const { root, proofOf } = uptimeTreeOf([{ kind: "lease", ...item }]);
    await goTo((Number(day) + 1) * daySeconds + heartbeatWindowSeconds + 1);
    const commit = { abi: computeNodeAbi, functionName: "commitUptime", args: [day, root] } as const;
    await call("deployer", "ComputeNode", encodeFunctionData(commit));
    await pass(uptimeDelay);
    const args = [[item], [proofOf(0)]] as const;
    return call(
      "relayer",
      "Escrow",
      encodeFunctionData({ abi: escrowAbi, functionName: "refundDowntime", args }),
    );
  }

  /** An epoch that grants the wallet `size` units, and withholds half as many or returns what was withheld. */
  async function reward(size: bigint): Promise<unknown> {
    const { genesis, epochSeconds, settlementSeconds } = parameters;
    await pass(2 * epochSeconds);
    const epoch = Math.floor(((await now()) - genesis - settlementSeconds) / epochSeconds);
    if (epoch <= granted.epoch) throw new Error("The epoch is not over.");
    await market.exported();
    const cumulative = granted.cumulative + size;
    const withheld = size % 3n === 0n ? 0n : granted.withheld + size / 2n;
    const leaves = [
      { account: wallet as string, cumulative },
      { account: accounts.match.address, cumulative: 5n },
    ];
    const tree = claimTreeOf(leaves);
    const { number: block, hash } = await client.getBlock();
    const bond = { nodeId: own.nodeId, account: wallet, withheld, highest: size, days: 0, servedIn: null };
    const document = { number: epoch, asOf: { block, hash }, bonds: [bond] } as unknown as EpochDocument;
    const dataHash = keccak256(toHex(epoch));
    const total = cumulative + 5n;
    await saveEpoch(db, {
      generation: 1,
      document,
      dataHash,
      root: tree.root,
      total,
      leaves: leaves.map((leaf) => ({ ...leaf, proof: [] as never })),
    });
    const args = [BigInt(epoch), tree.root, total, dataHash] as const;
    await call("deployer", "Pomc", encodeFunctionData({ abi: pomcAbi, functionName: "postEpoch", args }));
    Object.assign(granted, { epoch, cumulative, withheld });
    const claim = [BigInt(epoch), wallet, cumulative, tree.proofOf(0)] as const;
    const data: Hex = encodeFunctionData({ abi: pomcAbi, functionName: "claim", args: claim });
    granted.claim = () => call("relayer", "Pomc", data);
    return undefined;
  }

  return {
    granted,
    done,
    play: async ({ type, size, choice }: Act) => {
      const isDone = await play[type](BigInt(size), choice).then(
        () => true,
        () => false,
      );
      if (isDone) done.set(type, (done.get(type) ?? 0) + 1);
    },
  };
}
