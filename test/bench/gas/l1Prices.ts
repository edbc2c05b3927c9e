import { type Hex, numberToHex } from "viem";
import type { MarketFixture } from "../../contracts/support/market.ts";

const L1_BLOCK: Hex = "0x4200000000000000000000000000000000000015";

/** Input of L1 fees: 1 gwei base fee, 1 wei blob base fee, and OP Mainnet's scalars since Ecotone. */
const BASE_FEE = 10n ** 9n;
const BLOB_BASE_FEE = 1n;
const BASE_FEE_SCALAR = 5_227n;
const BLOB_BASE_FEE_SCALAR = 1_014_213n;

/** Sets the prices in the simulation's L1Block contract, which are zero by default. */
export async function setL1Prices(market: MarketFixture): Promise<void> {
  // | - 128 | baseFeeScalar 32 | blobBaseFeeScalar 32 | sequenceNumber 64 |
  const scalars = (BASE_FEE_SCALAR << 96n) | (BLOB_BASE_FEE_SCALAR << 64n);
  for (const [slot, value] of [
    [1, BASE_FEE],
    [3, scalars],
    [7, BLOB_BASE_FEE],
  ] as const) {
    await market.connection.provider.request({
      method: "hardhat_setStorageAt",
      params: [L1_BLOCK, numberToHex(slot), numberToHex(value, { size: 32 })],
    });
  }
}
