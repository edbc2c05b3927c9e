import { type Address, getAddress, type Hex, keccak256, toBytes } from "viem";
import type { MarketFixture } from "./market.ts";

const pushYes = "631626ba7e60e01b";
const returnWord = "60005260206000f3";

/** The behaviours of a contract wallet when it is called (ERC-1271), as its code. */
export const walletCode = {
  /** Accepts signatures of `owner`: recovers the signer of the digest at byte 4 from r, s and v at 100, 132 and 164. */
  of: (owner: Address): Hex =>
    `0x60043560005260a43560001a60205260643560405260843560605260206000608060006001${"5afa50"}60005173${owner.slice(2)}14${pushYes}02${returnWord}`,
  /** Loops until no gas is left. */
  greedy: "0x5b600056",
  reverting: "0x60006000fd",
  /** 64 KiB of zeros. */
  bomb: "0x620100006000f3",
  /** Accepts with 4 bytes instead of a word. */
  short: `0x${pushYes}60005260046000f3`,
  /** Accepts after it has used all but 10,000 of its gas. */
  slow: `0x5b6127105a11600057${pushYes}${returnWord}`,
  silent: "0x00",
} as const;

/** Deploys a wallet with this code. */
export async function makeWallet(market: MarketFixture, code: Hex): Promise<Address> {
  const address = getAddress(`0x${keccak256(toBytes(`wallet ${code}`)).slice(26)}`);
  await market.connection.networkHelpers.setCode(address, code);
  return address;
}
