import { InputError } from "@ngpu/runtime/errors";

const decimals = 18;
const unit = 10n ** BigInt(decimals);
const hour = 3_600n;

/** Token units as NGPU, without trailing zeros. */
export function tokens(units: bigint | string): string {
  const value = BigInt(units);
  const text = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const fraction = text.slice(-decimals).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${text.slice(0, -decimals)}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Token units as NGPU with about four significant digits. */
export function about(units: bigint | string): string {
  const value = Number(BigInt(units)) / Number(unit);
  return value === 0 ? "0" : String(Number(value.toPrecision(4)));
}

/** A rate in token units per second as NGPU an hour. */
export const hourly = (perSecond: bigint | string) => about(BigInt(perSecond) * hour);

/** Parses NGPU, such as 2.5, into token units. @throws InputError `amount_invalid`. */
export function parseTokens(text: string): bigint {
  const [, whole, fraction = ""] = /^(\d{1,20})(?:\.(\d{1,18}))?$/.exec(text) ?? [];
  if (whole !== undefined) return BigInt(whole) * unit + BigInt(fraction.padEnd(decimals, "0"));
  throw new InputError(`${text} is not an amount of NGPU.`, {
    code: "amount_invalid",
    hint: "Write a decimal number with at most 18 decimals, such as 2.5.",
  });
}

/**
 * Parses a price into token units per second: `1000000` is that already, `0.5/h` are NGPU an hour.
 *
 * @throws InputError `amount_invalid`.
 */
export function parsePrice(text: string): string {
  if (/^\d{1,20}$/.test(text)) return text;
  const amount = /^(.+)\/h$/.exec(text)?.[1];
  if (amount !== undefined) return String(parseTokens(amount) / hour);
  throw new InputError(`${text} is not a price.`, {
    code: "price_invalid",
    hint: "Write NGPU an hour as 0.5/h, or token units per second as a whole number.",
  });
}

const periods: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Parses a duration, such as 30s, 10m, 2h or 7d, into seconds. @throws InputError `duration_invalid`. */
export function parseSeconds(text: string): number {
  const [, count, period] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && period !== undefined) return Number(count) * (periods[period] ?? 1);
  throw new InputError(`${text} is not a duration.`, {
    code: "duration_invalid",
    hint: "Write a number and s, m, h or d, such as 10m.",
  });
}

/** A period in its largest unit that is not zero, such as 5m. */
export function ago(seconds: number): string {
  const found = Object.entries(periods).findLast(([, length]) => seconds >= length);
  return found === undefined ? "0s" : `${Math.floor(seconds / found[1])}${found[0]}`;
}

/** A time of the API, to the minute. */
export const minute = (time: string): string => time.slice(0, 16).replace("T", " ");
