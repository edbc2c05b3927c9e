import { readFileSync } from "node:fs";
import { dockerContractAbi, escrowAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { expect } from "chai";
import {
  concatHex,
  encodeFunctionData,
  type Hex,
  keccak256,
  parseEther,
  parseEventLogs,
  toFunctionSelector,
  toHex,
} from "viem";
import { keyOf } from "./support/market.ts";
import { bindWallet } from "./support/nodes.ts";
import { expectRevert } from "./support/reverts.ts";
import {
  asManager,
  honestLeases,
  loadRobbed,
  maxRate,
  price,
  type Robbed,
  runOn,
} from "./support/thieves.ts";
import { commitDowntime, today } from "./support/uptime.ts";
import { partner, publish } from "./support/workspaces.ts";

const page = new URL("../../docs/contracts/roles.md", import.meta.url);
const hour = 3_600;
const day = 86_400;

/** What a thief has taken after an hour and after a day, token units. */
type Loot = { hour: bigint; day: bigint };

/** Calls `look` in the last second of an hour and of a day that begin with the chain's newest block. */
async function watch({ time }: Robbed, look: () => Promise<bigint>): Promise<Loot> {
  const start = await time.latest();
  await time.setNextBlockTimestamp(start + hour - 1);
  const afterHour = await look();
  await time.setNextBlockTimestamp(start + day - 1);
  return { hour: afterHour, day: await look() };
}

const refOf = ({ ref }: { ref: { workspaceId: bigint; replica: number; lease: number } }) => ref;

/** What leases have paid to the thief's node, when they are settled in the next block. */
async function earned(
  market: Robbed,
  runs: { ref: { workspaceId: bigint; replica: number; lease: number } }[],
) {
  await market.escrow.write.settle([runs.map(refOf)]);
  return market.escrow.read.earnedBy([market.thief.id]);
}

/** Everything that an account has: tokens, and its deposit. */
const heldBy = async ({ token, escrow }: Robbed, account: Hex) =>
  (await token.read.balanceOf([account])) + (await escrow.read.balanceOf([account]));

type Play = () => Promise<Loot>;

/** Keys that move somebody's money. */
const moving: Record<string, Play> = {
  // Of a node that nobody gave a wallet: its pay goes to the key.
  "node, no wallet bound": async () => {
    const market = await paidNode();
    const { address } = market.honest.key;
    return watch(market, () => collected(market, address));
  },
  // It runs a workspace on its own node, at the authorization's highest rate.
  api: async () => {
    const market = await loadRobbed();
    const { workspaceId, spec } = await publish(market, { maxPricePerSecond: maxRate }, { replicas: 1 });
    const account = market.people.delegate;
    const runs = await runOn(market, market.thief, { workspaceId, spec, replicas: [0], account });
    return watch(market, () => earned(market, runs));
  },
  // It releases healthy leases as lost, and gives one to its own node at the highest price.
  keeper: async () => {
    const market = await loadRobbed();
    const { keeper } = market.people;
    const own = await robLeases(market, await honestLeases(market), keeper);
    return watch(market, () => earned(market, own));
  },
  // It appoints a keeper as soon as its delay allows.
  operations: async () => {
    const market = await loadRobbed();
    const { deployment, people, time, operations, escrow, thief } = market;
    const { DockerContract } = deployment.contracts;
    const leases = await honestLeases(market);
    const manager = await asManager(market, operations);
    const args = [people.outsider, true] as const;
    const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "setKeeper", args });
    await manager.schedule(DockerContract, data);
    const start = await time.latest();
    await time.setNextBlockTimestamp(start + hour);
    await manager.execute(DockerContract, data);
    const atFirst = await escrow.read.earnedBy([thief.id]);
    const own = await robLeases(market, leases, people.outsider);
    await time.setNextBlockTimestamp(start + day);
    return { hour: atFirst, day: await earned(market, own) };
  },
  // It grants itself the whole schedule: the root is not active within a day.
  "epochs' poster": async () => {
    const { market, claim, account } = await falseRoot();
    return watch(market, async () => {
      await expectRevert(claim(), "EpochNotActive");
      return market.token.read.balanceOf([account]);
    });
  },
  // The same, from the moment on at which its root is active.
  "epochs' poster, once its root is active": async () => {
    const { market, claim, account } = await falseRoot();
    await market.time.increase(day);
    const before = await market.token.read.balanceOf([account]);
    const start = await market.time.latest();
    const until = async (seconds: number) => {
      for (let at = (await market.time.latest()) + 600; at <= start + seconds; at += 600) {
        await market.time.setNextBlockTimestamp(at);
        await claim();
      }
      return (await market.token.read.balanceOf([account])) - before;
    };
    return { hour: await until(hour), day: await until(day) };
  },
  // A partner's own: it states that the node of its leases was down all day, and has them refunded.
  "uptime poster": async () => {
    const market = await loadRobbed();
    const { runs } = await honestLeases(market);
    const first = (await today(market)) + 1n;
    const items = (of: bigint) =>
      runs.map(({ ref }) => ({
        ...{ day: of, ...ref, nodeId: market.honest.id, authorizationId: 1n, rate: price, downSeconds: day },
      }));
    await market.time.increaseTo(Number(first + 1n) * day);
    await market.escrow.write.settle([runs.map(refOf)]);
    const { items: leaves, proofs } = await commitDowntime(market, first, items(first));
    const { logs } = await market.mined(market.escrow.write.refundDowntime([leaves, proofs]));
    const refunds = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs });
    return { hour: 0n, day: refunds.reduce((sum, { args }) => sum + args.amount, 0n) };
  },
};

/** Keys that move nobody's money: what each may do, tried in full. Everything that its account has afterwards is loot. */
const harmless: Record<string, (market: Robbed) => Promise<Hex>> = {
  "node, wallet bound": async (market) => {
    const { address } = market.honest.key;
    await bindWallet(market, market.honest, keyOf("the operator's wallet"));
    await market.escrow.write.collect([[market.honest.id]]);
    const theft = bindWallet(market, market.honest, keyOf("the thief's wallet"), 2);
    await theft.catch(() => undefined);
    await market.escrow.write.collect([[market.honest.id]]);
    return address;
  },
  committer: async ({ people, computeNode, time, deployment, honest, thief }) => {
    const slot = BigInt(Math.floor((await time.latest()) / deployment.parameters.slotSeconds)) - 1n;
    const { encoding, bits } = encodeHeartbeats(2, new Set());
    const code = encoding === "bitmap" ? 0 : 1;
    const account = people.committer;
    await computeNode.write.commitHeartbeats([slot, code, 2, bits], { account });
    await computeNode.write.markOffline([[honest.id, thief.id]], { account });
    return account;
  },
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

/** The leases released, and one replica on the thief's node. */
async function robLeases(
  market: Robbed,
  { workspaceId, spec, runs }: Awaited<ReturnType<typeof honestLeases>>,
  account: Hex,
) {
  await market.docker.write.releaseLost([runs.map(refOf), runs.map(() => spec)], { account });
  return runOn(market, market.thief, { workspaceId, spec, replicas: [0], account });
}

/** A market whose honest node worked for six whole days, and was never paid out. */
async function paidNode() {
  const market = await loadRobbed();
  // Earnings are held by periods of two days.
  const start = ((await today(market)) / 2n + 1n) * 2n;
  await market.time.increaseTo(Number(start) * day);
  const { runs } = await honestLeases(market);
  await market.time.increaseTo(Number(start + 6n) * day);
  await market.escrow.write.settle([runs.map(refOf)]);
  return market;
}

async function collected(market: Robbed, account: Hex) {
  await market.escrow.write.collect([[market.honest.id]]);
  return market.token.read.balanceOf([account]);
}

async function falseRoot() {
  const market = await loadRobbed();
  const { epochSeconds, settlementSeconds, emissionPerEpoch } = market.deployment.parameters;
  const account = market.people.poster;
  const number = 40n;
  await market.time.increase(Number(number) * epochSeconds + settlementSeconds + 1);
  const total = number * BigInt(emissionPerEpoch);
  const { root, proofOf } = claimTreeOf([{ account, cumulative: total }]);
  await market.pomc.write.postEpoch([number, root, total, keccak256("0x")], { account });
  const claim = () => market.pomc.write.claim([number, account, total, proofOf(0)], { account });
  return { market, claim, account };
}

/** The figures of the page's table, by key. */
function figuresOn(text: string): Record<string, string[]> {
  const [, table = ""] = text.split("<!-- figures of test/contracts/thieves.test.ts -->");
  const rows = [...table.matchAll(/^\| ([^|]+?) +\| ([\d.]+) +\| ([\d.]+) +\|/gm)];
  return Object.fromEntries(rows.map(([, key = "", ...figures]) => [key, figures]));
}

/** NGPU with two decimals, rounded up: a thief never takes more than the page says. */
function ngpu(amount: bigint): string {
  const cent = 10n ** 16n;
  return String(Number((amount + cent - 1n) / cent) / 100);
}

describe("A thief of each key, with op-sepolia's parameters", function () {
  this.timeout(600_000);

  it("takes in an hour and in a day what the page says", async () => {
    const figures: Record<string, string[]> = {};
    for (const [key, play] of Object.entries(moving)) {
      const loot = await play();
      figures[key] = [ngpu(loot.hour), ngpu(loot.day)];
    }
    for (const [key, play] of Object.entries(harmless)) {
      const market = await loadRobbed();
      const { runs } = await honestLeases(market);
      await market.time.increase(2 * day);
      await market.escrow.write.settle([runs.map(refOf)]);
      const account = await play(market);
      await market.time.increase(day);
      const loot = await heldBy(market, account);
      figures[key] = [ngpu(loot), ngpu(loot)];
    }
    expect(figuresOn(readFileSync(page, "utf8"))).to.deep.equal(figures);
  });
});
