import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { type Abi, encodePacked, type Hex, keccak256, toHex } from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { unpackPackage } from "../../npmPackage.ts";
import { costOf } from "../meter.ts";
import { createDeployer } from "./deployer.ts";
import type { Peers } from "./peer.ts";

const name = "@uniswap/merkle-distributor";
const version = "1.0.1";
const leaves = 131_072;
const amount = 1_234_567_890_123_456n;

/** Costs of a claim in Uniswap's distributor from its package, over a tree as deep as ours. */
export async function measureUniswap(market: MarketFixture, folder: string): Promise<Peers> {
  const build = join(await unpackPackage(folder, name, version), "build/MerkleDistributor.json");
  const { abi, bytecode } = JSON.parse(readFileSync(build, "utf8")) as { abi: Abi; bytecode: string };
  const deployer = await createDeployer(market);
  const accounts = Array.from({ length: leaves }, (_, place) => toHex(place + 2 ** 41, { size: 20 }));
  const leafOf = (place: number) =>
    keccak256(
      encodePacked(["uint256", "address", "uint256"], [BigInt(place), accounts[place] as Hex, amount]),
    );
  const tree = SimpleMerkleTree.of(
    accounts.map((_, place) => leafOf(place)),
    { sortLeaves: false },
  );
  const token = market.deployment.contracts.Token;
  const distributor = await deployer.deploy({
    abi,
    bytecode: `0x${bytecode.replace(/^0x/, "")}`,
    args: [token, tree.root],
  });
  const pay = (to: Hex, value: bigint) =>
    deployer.send({
      address: token,
      abi: tokenAbi,
      functionName: "transfer",
      args: [to, value],
      from: market.people.treasury,
    });
  await pay(distributor, amount * 10n);
  // The first account already has tokens; the others have none. Indexes 256 apart do not share a word of the bitmap.
  for (const place of [0, 1]) await pay(accounts[place] as Hex, 1n);
  const gasOf = async (place: number) => {
    const args = [BigInt(place), accounts[place], amount, tree.getProof(place)];
    const hash = await deployer.send({ address: distributor, abi, functionName: "claim", args });
    return (await costOf(market, [hash])).gas;
  };
  const peer = (what: string, gasPerUnit: number) => [
    { name: `Uniswap's MerkleDistributor ${version}${what}`, gasPerUnit, source: "measured" as const },
  ];
  return {
    "claim-first-existing": peer(", prefunded", await gasOf(0)),
    "claim-repeat": peer(", prefunded: one claim a leaf; another leaf of the same word", await gasOf(1)),
    "claim-fresh": peer(", prefunded", await gasOf(256)),
  };
}
