import { deployNgpu } from "@ngpu/contracts/ignition/deploy";
import { type Address, getAddress, parseEther } from "viem";
import { opChain } from "./chain.ts";
import { keyOf } from "./market.ts";

export const delays = { admin: 86_400, operations: 86_400, unpauser: 7_200 };

/** A deployment with a separate account for each role and without roles of the deployer, as on a public chain. */
export async function governedFixture() {
  const connection = await opChain();
  const wallets = await connection.viem.getWalletClients();
  const accounts = wallets.map((wallet) => getAddress(wallet.account.address));
  const at = (place: number): Address => {
    const account = accounts[place];
    if (account === undefined) throw new Error("The simulated chain has too few accounts.");
    return account;
  };
  const people = {
    deployer: at(0),
    admin: at(1),
    operations: at(2),
    guardian: at(3),
    unpauser: at(4),
    poster: at(5),
    keeper: at(6),
    committer: at(7),
    outsider: at(8),
    measureKeeper: at(9),
    receiptsPoster: at(10),
    watcher: at(11),
  };
  const deployment = await deployNgpu({
    connection,
    pollMs: 5,
    parameters: {
      admin: people.admin,
      operations: people.operations,
      unpauser: people.unpauser,
      delays,
      guardian: people.guardian,
      treasury: keyOf("treasury").address,
      poster: people.poster,
      receiptsPoster: people.receiptsPoster,
      watchers: [people.watcher],
      committers: [people.committer],
      acknowledgers: [keyOf("acknowledger").address],
      cosigners: [keyOf("cosigner").address],
      keepers: [people.keeper],
      witnesses: [keyOf("witness").address],
      measureKeepers: [people.measureKeeper],
      slotSeconds: 60,
      epochSeconds: 3_600,
      activationDelay: 86_400,
      clockMarginSeconds: 120,
      minSeconds: 1,
      lockFloor: 0n,
      startSeconds: 3_600,
      restSeconds: 60,
      refundDays: 1,
      measureWindowSeconds: 300,
      measureTtlSeconds: 86_400,
      quorum: 1,
      emissionPerEpoch: parseEther("1000"),
      cap: parseEther("1000000"),
      genesisSupply: parseEther("100000"),
    },
  });
  const client = await connection.viem.getPublicClient();
  return { connection, client, deployment, people };
}

export type Governed = Awaited<ReturnType<typeof governedFixture>>;

export async function loadGoverned(): Promise<Governed> {
  const { networkHelpers } = await opChain();
  return networkHelpers.loadFixture(governedFixture);
}
