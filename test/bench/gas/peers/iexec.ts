import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import {
  concat,
  encodePacked,
  getAddress,
  type Hex,
  keccak256,
  parseEther,
  zeroAddress,
  zeroHash,
} from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { costOf } from "../meter.ts";
import { createDeployer, type Deployer } from "./deployer.ts";
import { deployPoco, type Poco, pocoVersion } from "./iexecContracts.ts";
import { orderTypes } from "./iexecOrders.ts";
import type { Peers } from "./peer.ts";

/** Funds of a worker's stake, a pool's stake and a request's price. */
const funds = parseEther("1000");
const price = parseEther("1");

type Roles = { requester: Hex; scheduler: Hex; developer: Hex; worker: Hex };

/** The nearest acts of iExec's PoCo, from the contracts of its package, wired and funded here. */
export async function measureIexec(market: MarketFixture, folder: string): Promise<Peers> {
  const deployer = await createDeployer(market);
  const poco = await deployPoco(deployer, market.deployment.contracts.Token, folder);
  const { owner, keeper, delegate, outsider } = market.people;
  const roles: Roles = { requester: owner, scheduler: keeper, developer: delegate, worker: outsider };
  for (const from of [roles.requester, roles.scheduler, roles.worker])
    await deposit(market, deployer, poco, from);
  const gas = async (...hashes: Hex[]) => (await costOf(market, hashes)).gas;
  const app = await createEntry(deployer, poco.apps, "createApp", appArgs(roles.developer));
  const pool = await createEntry(deployer, poco.workerpools, "createWorkerpool", [roles.scheduler, "H200"]);
  const orders = await signOrders(market, deployer, poco, roles, { app: app.address, pool: pool.address });
  const deal = await dealOf(deployer, poco, roles, orders);
  const report = await contribute(deployer, poco, roles, deal.task);
  const peer = (what: string, gasPerUnit: number) => [
    { name: `iExec's PoCo ${pocoVersion}: ${what}`, gasPerUnit, source: "measured" as const },
  ];
  return {
    "register-50": peer("a workerpool registered", await gas(pool.hash)),
    "publish-assign-start-50": peer("orders matched, one task initialized", await gas(...deal.hashes)),
    "report-state-50": peer("a worker's contribution and its reveal", await gas(...report)),
  };
}

async function deposit(market: MarketFixture, deployer: Deployer, poco: Poco, from: Hex): Promise<void> {
  const token = { address: market.deployment.contracts.Token, abi: tokenAbi };
  const { treasury } = market.people;
  await deployer.send({ ...token, functionName: "transfer", args: [from, funds], from: treasury });
  await deployer.send({ ...token, functionName: "approve", args: [poco.hub.address, funds], from });
  await deployer.send({ ...poco.hub, functionName: "deposit", args: [funds], from });
}

const appArgs = (owner: Hex) => [owner, "chat", "DOCKER", "0x6578616d706c652f63686174", zeroHash, "0x"];

/** Registers an app or a pool, whose address is the id of its ERC-721 token. */
async function createEntry(
  deployer: Deployer,
  registry: Poco["apps"],
  functionName: "createApp" | "createWorkerpool",
  args: unknown[],
): Promise<{ address: Hex; hash: Hex }> {
  const predict = functionName.replace("create", "predict");
  const address = (await deployer.read({ ...registry, functionName: predict, args })) as Hex;
  const hash = await deployer.send({ ...registry, functionName, args });
  return { address: getAddress(address), hash };
}

async function signOrders(
  market: MarketFixture,
  deployer: Deployer,
  poco: Poco,
  roles: Roles,
  { app, pool }: { app: Hex; pool: Hex },
) {
  const domain = {
    name: "iExecODB",
    version: "5.0.0",
    chainId: await market.client.getChainId(),
    verifyingContract: poco.hub.address,
  };
  const sign = async <const Name extends keyof typeof orderTypes>(
    by: Hex,
    primaryType: Name,
    message: object,
  ) => {
    const typed = { domain, types: orderTypes, primaryType, message };
    return { ...message, sign: await deployer.walletOf(by).signTypedData(typed as never) };
  };
  const anyone = { requesterrestrict: zeroAddress, salt: zeroHash };
  const common = { volume: 1n, tag: zeroHash };
  return [
    await sign(roles.developer, "AppOrder", {
      app,
      appprice: 0n,
      ...common,
      datasetrestrict: zeroAddress,
      workerpoolrestrict: zeroAddress,
      ...anyone,
    }),
    // Without a dataset, so its order is empty.
    {
      dataset: zeroAddress,
      datasetprice: 0n,
      volume: 0n,
      tag: zeroHash,
      apprestrict: zeroAddress,
      workerpoolrestrict: zeroAddress,
      ...anyone,
      sign: "0x",
    },
    await sign(roles.scheduler, "WorkerpoolOrder", {
      workerpool: pool,
      workerpoolprice: price,
      ...common,
      category: 0n,
      trust: 0n,
      apprestrict: zeroAddress,
      datasetrestrict: zeroAddress,
      ...anyone,
    }),
    await sign(roles.requester, "RequestOrder", {
      app,
      appmaxprice: 0n,
      dataset: zeroAddress,
      datasetmaxprice: 0n,
      workerpool: pool,
      workerpoolmaxprice: price,
      requester: roles.requester,
      ...common,
      category: 0n,
      trust: 0n,
      beneficiary: roles.requester,
      callback: zeroAddress,
      params: "{}",
      salt: zeroHash,
    }),
  ] as const;
}

/** Matches the orders into a deal, whose id is the request's hash and its first task's number. */
async function dealOf(deployer: Deployer, poco: Poco, roles: Roles, orders: readonly unknown[]) {
  const call = { ...poco.hub, functionName: "matchOrders", args: [...orders], from: roles.requester };
  const deal = (await deployer.read(call)) as Hex;
  const matched = await deployer.send(call);
  const begin = { ...poco.hub, functionName: "initialize", args: [deal, 0n], from: roles.scheduler };
  const begun = await deployer.send(begin);
  return {
    hashes: [matched, begun],
    task: keccak256(encodePacked(["bytes32", "uint256"], [deal, 0n])),
  };
}

/** A worker commits to the result under its seal, and then reveals it. */
async function contribute(
  deployer: Deployer,
  poco: Poco,
  { scheduler, worker }: Roles,
  task: Hex,
): Promise<Hex[]> {
  const digest = keccak256("0x1234");
  const leave = keccak256(concat([worker, task, zeroAddress]));
  const args = [
    task,
    keccak256(concat([task, digest])),
    keccak256(concat([worker, task, digest])),
    zeroAddress,
    "0x",
    await deployer.walletOf(scheduler).signMessage({ message: { raw: leave } }),
  ];
  return [
    await deployer.send({ ...poco.hub, functionName: "contribute", args, from: worker }),
    await deployer.send({ ...poco.hub, functionName: "reveal", args: [task, digest], from: worker }),
  ];
}
