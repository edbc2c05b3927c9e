import type { Cost } from "./meter.ts";

/** The prices at which gas is converted to dollars. L1 fees have prices of their own: see l1Prices.ts. */
export type Prices = {
  /** Price of gas on the OP-stack chain, gwei. */
  gasGwei: number;
  /** Price of the chain's gas token, dollars. */
  tokenDollars: number;
};

export const defaultPrices: Prices = { gasGwei: 0.01, tokenDollars: 3_000 };

/** Dollars for a thousand units of an act: its gas, and its L1 fee. */
export function dollarsOf({ gas, l1Fee }: Cost, { gasGwei, tokenDollars }: Prices): number {
  const wei = gas * gasGwei * 1e9 + l1Fee;
  return (1_000 * wei * tokenDollars) / 1e18;
}
