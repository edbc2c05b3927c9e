import { computeNodeAbi, dockerContractAbi, measureAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { type Abi, type Address, type Hex, parseEventLogs, zeroAddress } from "viem";
import { type Governed, loadGoverned } from "./support/governed.ts";
import { keyOf } from "./support/market.ts";
import { expectRevert } from "./support/reverts.ts";

const abis = {
  ComputeNode: computeNodeAbi,
  DockerContract: dockerContractAbi,
  Measure: measureAbi,
  Pomc: pomcAbi,
} as const;
type Name = keyof typeof abis;

/** Each power: its contract, who has it, the view that shows it, and the event of its end. */
const powers = {
  committer: ["ComputeNode", "isHeartbeatCommitter", "HeartbeatCommitterSet"],
  acknowledger: ["ComputeNode", "isHeartbeatAcknowledger", "HeartbeatAcknowledgerSet"],
  cosigner: ["ComputeNode", "isHeartbeatCosigner", "HeartbeatCosignerSet"],
  "uptime poster": ["ComputeNode", "isUptimePoster", "UptimePosterSet"],
  keeper: ["DockerContract", "isKeeper", "KeeperSet"],
  witness: ["DockerContract", "witnessOf", "WitnessSet"],
  "measure keeper": ["Measure", "isMeasureKeeper", "MeasureKeeperSet"],
  poster: ["Pomc", "poster", "PosterSet"],
  "receipts' poster": ["Pomc", "receiptsPoster", "ReceiptsPosterSet"],
  watcher: ["Pomc", "isWatcher", "WatcherSet"],
} as const satisfies Record<string, readonly [Name, string, string]>;
type Power = keyof typeof powers;

function holderOf({ people }: Governed, power: Power): Address {
  const { poster, measureKeeper, receiptsPoster, ...others } = people;
  const named = {
    ...others,
    poster,
    "uptime poster": poster,
    "measure keeper": measureKeeper,
    "receipts' poster": receiptsPoster,
    acknowledger: keyOf("acknowledger").address,
    witness: keyOf("witness").address,
    cosigner: keyOf("cosigner").address,
  };
  return named[power];
}

async function has(market: Governed, power: Power): Promise<boolean> {
  const [name, view] = powers[power];
  const isOne = view === "poster" || view === "receiptsPoster";
  const account = holderOf(market, power);
  const value = (await market.client.readContract({
    address: market.deployment.contracts[name],
    abi: abis[name] as Abi,
    functionName: view,
    args: isOne ? [] : [account],
  })) as boolean | Address | readonly [boolean, ...unknown[]];
  if (isOne) return value === account;
  return Array.isArray(value) ? value[0] : value === true;
}

/** Sends the call as operations, at once; the names of the events that it emits. */
async function dismiss(market: Governed, name: Name, account: Address, caller = market.people.operations) {
  const wallet = await market.connection.viem.getWalletClient(caller);
  const address = market.deployment.contracts[name];
  const hash: Hex = await wallet.writeContract({
    address,
    abi: abis[name] as Abi,
    functionName: "dismiss",
    args: [account],
  });
  const { logs } = await market.client.getTransactionReceipt({ hash });
  return parseEventLogs({ abi: abis[name] as Abi, logs }).map(({ eventName }) => eventName);
}

describe("Dismissals", () => {
  for (const power of Object.keys(powers) as Power[]) {
    it(`end the power of the ${power} without a delay, and no other account's`, async () => {
      const market = await loadGoverned();
      const [name, , event] = powers[power];
      expect(await has(market, power)).to.equal(true);
      expect(await dismiss(market, name, holderOf(market, power))).to.deep.equal([event]);
      for (const other of Object.keys(powers) as Power[]) {
        expect(await has(market, other), other).to.equal(other !== power);
      }
      expect(await dismiss(market, name, holderOf(market, power))).to.deep.equal([]);
    });
  }

  it("change nothing of an account without a power, or of the zero address", async () => {
    const market = await loadGoverned();
    for (const name of Object.keys(abis) as Name[]) {
      expect(await dismiss(market, name, market.people.outsider), name).to.deep.equal([]);
      expect(await dismiss(market, name, zeroAddress), name).to.deep.equal([]);
    }
    await dismiss(market, "Pomc", market.people.poster);
    expect(await dismiss(market, "Pomc", zeroAddress)).to.deep.equal([]);
  });

  it("are operations' alone: neither an outsider nor the guardian dismisses", async () => {
    const market = await loadGoverned();
    const { people } = market;
    for (const caller of [people.outsider, people.guardian, people.keeper]) {
      const call = dismiss(market, "DockerContract", people.keeper, caller);
      await expectRevert(call, "AccessManagedUnauthorized", { caller });
    }
    expect(await has(market, "keeper")).to.equal(true);
  });
});
