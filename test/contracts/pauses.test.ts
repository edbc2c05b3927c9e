import { abis, decodeReason } from "@ngpu/contracts-sdk/abis";
import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { expect } from "chai";
import { type Abi, encodeFunctionData, type Hex, toFunctionSelector } from "viem";
import { revertDataOf } from "../../packages/tx-sender/revertReason.ts";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRevert, zeroAddress, zeroHash } from "./support/reverts.ts";
import { deposit } from "./support/workspaces.ts";

const pausing = [
  "ComputeNode",
  "DockerContract",
  "Progress",
  "Measure",
  "ProofWaves",
  "Escrow",
  "Pomc",
] as const;
type Pausing = (typeof pausing)[number];

/** Functions that the guardian can never pause, and why. All other state-changing functions can be paused. */
const neverPaused: Partial<Record<Pausing | "every", string[]>> = {
  // Roles act through them, and the manager may change.
  every: ["pause", "unpause", "setAuthority"],
  // Contracts call them; they stop with the calls that lead there.
  ComputeNode: [
    "setHeartbeatCommitter",
    "setHeartbeatAcknowledger",
    "setHeartbeatCosigner",
    "setUptimePoster",
    "dismiss",
    "disableUptime",
    "addDocker",
    "retireDocker",
    "setMeasure",
    "reserve",
    "release",
    "challengePresence",
  ],
  // An owner may always end what it began.
  DockerContract: ["setKeeper", "setWitness", "dismiss", "disproveWitness", "closeWorkspace", "closeExpired"],
  Escrow: ["setDocker", "open", "setClock", "order", "review", "close", "revoke", "cancelAuthorization"],
  Measure: ["setMeasureKeeper", "setMeasurersAdmitted", "dismiss"],
  // Hashes of blocks can be recorded for a short time only.
  ProofWaves: ["setRules", "record"],
  Pomc: [
    "setPoster",
    "setReceiptsPoster",
    "setWatcher",
    "setTerms",
    "dismiss",
    "attestEpoch",
    "disableEpoch",
  ],
};
/** The values of IPauses.Pausability. */
const entry = 1;
const exit = 2;
/** The exits, which pay an account or end something; all other pausable functions are entries. */
const exits: Record<Pausing, string[]> = {
  ComputeNode: ["setStatusBatch", "setWalletBatch", "setKeyBatch"],
  DockerContract: ["stopWorkspace", "requestStop", "requestDelete", "reportBatch", "releaseEnded"],
  Progress: [],
  Measure: [],
  ProofWaves: [],
  Escrow: ["withdraw", "settle", "collect", "refundDowntime"],
  Pomc: ["claim", "claimMany"],
};
const week = 7 * 86_400;

function selectorOf(name: Pausing, functionName: string): Hex {
  const item = (abis[name] as Abi).find((entry) => entry.type === "function" && entry.name === functionName);
  if (item?.type !== "function") throw new Error(`${name} has no function ${functionName}.`);
  return toFunctionSelector(item);
}

/** Whether a call reverts as paused. Zeros decode to empty lists and zero values of any type. */
async function isStopped(market: MarketFixture, to: Hex, selector: Hex): Promise<boolean> {
  const data = `${selector}${"0".repeat(64 * 40)}` as Hex;
  const fault = await market.client.call({ to, data, account: market.people.outsider }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (fault === undefined) return false;
  const reason = decodeReason(revertDataOf(fault) ?? "0x");
  if (reason.name !== "FunctionPaused") return false;
  expect(reason.args).to.deep.equal({ selector });
  return true;
}

describe("Pauses", () => {
  for (const name of pausing) {
    it(`of ${name}: each function can be paused alone, except those that must continue`, async () => {
      const market = await loadMarket();
      const { people } = market;
      const contract = market.pausesOf(name);
      const changing = (abis[name] as Abi).flatMap((item) =>
        item.type === "function" && item.stateMutability === "nonpayable" ? [item.name] : [],
      );
      const never = [...(neverPaused.every ?? []), ...(neverPaused[name] ?? [])];
      expect(changing).to.include.members(never);
      for (const functionName of never) {
        expect(await contract.read.pausabilityOf([selectorOf(name, functionName)]), functionName).to.equal(0);
      }
      const pausable = changing.filter((item) => !never.includes(item));
      expect(pausable).to.include.members(exits[name]);
      for (const functionName of pausable) {
        const expected = exits[name].includes(functionName) ? exit : entry;
        const found = await contract.read.pausabilityOf([selectorOf(name, functionName)]);
        expect(found, functionName).to.equal(expected);
      }
      const selectors = pausable.map((item) => selectorOf(name, item));

      const before = await market.connection.networkHelpers.takeSnapshot();
      for (const paused of selectors) {
        await contract.write.pause([[paused]], { account: people.guardian });
        for (const selector of selectors) {
          expect(await contract.read.isPaused([selector])).to.equal(selector === paused);
          // A claim reads its epoch first; "stop claims" tests that.
          if (name === "Pomc" && (await contract.read.pausabilityOf([selector])) === exit) continue;
          expect(await isStopped(market, contract.address, selector), `${selector} while ${paused}`).to.equal(
            selector === paused,
          );
        }
        await before.restore();
      }
    });
  }

  it("are made by the guardian immediately, and ended by the unpauser after the delay", async () => {
    const market = await loadMarket();
    const { escrow, people, time } = market;
    const selectors = [selectorOf("Escrow", "deposit"), selectorOf("Escrow", "settle")];
    for (const caller of [people.outsider, people.unpauser, people.poster, people.keeper]) {
      await expectRevert(escrow.write.pause([selectors], { account: caller }), "AccessManagedUnauthorized", {
        caller,
      });
    }
    await escrow.write.pause([selectors], { account: people.guardian });
    for (const caller of [people.outsider, people.guardian]) {
      await expectRevert(
        escrow.write.unpause([selectors], { account: caller }),
        "AccessManagedUnauthorized",
        {
          caller,
        },
      );
    }
    const account = people.unpauser;
    const data = encodeFunctionData({ abi: escrowAbi, functionName: "unpause", args: [selectors] });
    await expectRevert(escrow.write.unpause([selectors], { account }), "AccessManagerNotScheduled");
    await market.manager.write.schedule([escrow.address, data, 0], { account });
    await expectRevert(escrow.write.unpause([selectors], { account }), "AccessManagerNotReady");
    await time.increase(market.deployment.parameters.delays.unpauser);
    await escrow.write.unpause([selectors], { account });
    for (const selector of selectors) expect(await escrow.read.isPaused([selector])).to.equal(false);
    await deposit(market, people.owner, 1n);
  });

  it("of exits expire after a week and leave them at least a week; those of entries do not expire", async () => {
    const market = await loadMarket();
    const { escrow, people, time } = market;
    const deposits = selectorOf("Escrow", "deposit");
    const withdrawal = selectorOf("Escrow", "withdraw");
    await deposit(market, people.owner, 10n);
    const guardian = { account: people.guardian };
    await escrow.write.pause([[deposits, withdrawal]], guardian);
    const pausedAt = await time.latest();
    const withdraw = () => escrow.write.withdraw([1n, people.owner], { account: people.owner });
    await expectRevert(withdraw(), "FunctionPaused", { selector: withdrawal });
    await time.increaseTo(pausedAt + week - 3);
    // Pausing a paused function does not extend the pause.
    await escrow.write.pause([[withdrawal]], guardian);
    await time.setNextBlockTimestamp(pausedAt + week - 1);
    await expectRevert(withdraw(), "FunctionPaused", { selector: withdrawal });
    await time.setNextBlockTimestamp(pausedAt + week);
    await withdraw();
    expect(await escrow.read.isPaused([withdrawal])).to.equal(false);
    await expectRevert(escrow.write.pause([[withdrawal]], guardian), "ExitPausedRecently", {
      selector: withdrawal,
      pausableAt: BigInt(pausedAt + 2 * week),
    });
    await time.increaseTo(pausedAt + 2 * week - 3);
    await withdraw();
    expect(await escrow.read.isPaused([deposits])).to.equal(true);
    await time.setNextBlockTimestamp(pausedAt + 2 * week - 1);
    await expectRevert(escrow.write.pause([[withdrawal]], guardian), "ExitPausedRecently", {
      selector: withdrawal,
    });
    await time.setNextBlockTimestamp(pausedAt + 2 * week);
    await escrow.write.pause([[withdrawal]], guardian);
    await expectRevert(withdraw(), "FunctionPaused", { selector: withdrawal });
  });

  it("refuse functions that cannot be paused, with the rest of the list", async () => {
    const { escrow, people } = await loadMarket();
    const known = selectorOf("Escrow", "deposit");
    const unknown = selectorOf("Escrow", "revoke");
    const guardian = { account: people.guardian };
    await expectRevert(escrow.write.pause([[known, unknown]], guardian), "FunctionNotPausable", {
      selector: unknown,
    });
    await expectRevert(escrow.read.isPaused([unknown]), "FunctionNotPausable", { selector: unknown });
    expect(await escrow.read.isPaused([known])).to.equal(false);
  });

  it("stop claims from every epoch, each claim function alone, and let them run again", async () => {
    const market = await loadMarket();
    const { pomc, people, time, deployment } = market;
    const shares = [1n, 2n, 3n].map((cumulative, place) => ({
      account: keyOf(`paid ${place}`).address as Hex,
      cumulative,
    }));
    const tree = claimTreeOf(shares);
    const { genesis, epochSeconds, activationDelay } = deployment.parameters;
    for (const number of [1, 2]) {
      await time.increaseTo(genesis + number * epochSeconds);
      await pomc.write.postEpoch([BigInt(number), tree.root, 6n, zeroHash], { account: people.poster });
    }
    await time.increase(activationDelay);
    const claim = (number: bigint, place: number) => {
      const share = shares[place];
      if (share === undefined) throw new Error("There is no such share.");
      return pomc.write.claim([number, share.account, share.cumulative, tree.proofOf(place)]);
    };
    const many = tree.manyOf([0, 1, 2]);
    const claimMany = () => pomc.write.claimMany([1n, many.grants, many.proof, many.flags]);
    // Epoch 1 is open before the pause, epoch 2 is not.
    await claim(1n, 0);
    const one = selectorOf("Pomc", "claim");
    const all = selectorOf("Pomc", "claimMany");
    await pomc.write.pause([[one]], { account: people.guardian });
    const pausedAt = await time.latest();
    for (const number of [1n, 2n]) await expectRevert(claim(number, 1), "FunctionPaused", { selector: one });
    await claimMany();
    for (const number of [1n, 2n]) await expectRevert(claim(number, 1), "FunctionPaused", { selector: one });
    await pomc.write.pause([[all]], { account: people.guardian });
    await expectRevert(claimMany(), "FunctionPaused", { selector: all });
    await time.increaseTo(pausedAt + week);
    for (const number of [1n, 2n]) await claim(number, 1);
    expect(await market.token.read.balanceOf([shares[2]?.account ?? zeroAddress])).to.equal(3n);
  });
});
