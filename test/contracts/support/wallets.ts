import { type Address, getAddress, type Hex, keccak256, toBytes } from "viem";
import type { MarketFixture } from "./market.ts";

const pushYes = "631626ba7e60e01b";
const returnWord = "60005260206000f3";

/** What a wallet that is a contract does when it is asked (ERC-1271), as code it is made of. */
export const walletCode = {
  /** Yes to what `owner` signed: recovers the signer of the digest at byte 4 from r, s and v at 100, 132 and 164. */
  of: (owner: Address): Hex =>
    `0x60043560005260a43560001a60205260643560405260843560605260206000608060006001${"5afa50"}60005173${owner.slice(2)}14${pushYes}02${returnWord}`,
  /** Turns round until no gas is left. */
  greedy: "0x5b600056",
  reverting: "0x60006000fd",
  /** 64 KiB of zeros. */
  bomb: "0x620100006000f3",
  /** A yes of 4 bytes, where a word is asked for. */
  short: `0x${pushYes}60005260046000f3`,
  /** Yes, once all but 10,000 of its gas is gone. */
  slow: `0x5b6127105a11600057${pushYes}${returnWord}`,
  silent: "0x00",
} as const;

/** Puts a wallet of this code on the chain. */
export async function makeWallet(market: MarketFixture, code: Hex): Promise<Address> {
  const address = getAddress(`0x${keccak256(toBytes(`wallet ${code}`)).slice(26)}`);
  await market.connection.networkHelpers.setCode(address, code);
  return address;
}
