/** Micro-dollars of a dollar, and token units of a token. */
const micro = 1_000_000n;
const token = 10n ** 18n;

/**
 * An amount in dollars at a rate that the caller states, rounded down to a millionth.
 *
 * @param units Token units; negative for a refund.
 * @param perToken Dollars of a token: decimal text with at most six decimals.
 */
export function dollarsOf(units: bigint, perToken: string): string {
  const [whole = "0", fraction = ""] = perToken.split(".");
  const rate = BigInt(whole) * micro + BigInt(fraction.padEnd(6, "0"));
  const size = ((units < 0n ? -units : units) * rate) / token;
  const sign = units < 0n && size > 0n ? "-" : "";
  return `${sign}${size / micro}.${String(size % micro).padStart(6, "0")}`;
}
