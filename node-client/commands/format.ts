import { formatEther } from "viem";

/** Tokens with at most six decimals, such as `12.5 NGPU`. @param units Token units (1e-18). */
export function tokens(units: string | bigint): string {
  const [whole = "0", fraction = ""] = formatEther(BigInt(units)).split(".");
  const kept = fraction.slice(0, 6).replace(/0+$/, "");
  return `${whole}${kept === "" ? "" : `.${kept}`} NGPU`;
}

/** The price of an hour. @param perSecond Token units (1e-18) a second. */
export function pricePerHour(perSecond: string | bigint): string {
  return `${tokens(BigInt(perSecond) * 3_600n)} an hour`;
}

/** A duration in its two largest units, such as `3 d 4 h`. */
export function duration(milliseconds: number): string {
  let seconds = Math.max(0, Math.round(milliseconds / 1_000));
  const parts: string[] = [];
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** A time in UTC, to the minute. @param unix Seconds. */
export function timeOf(unix: number): string {
  return `${new Date(unix * 1_000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Lines of a name and a value, aligned. An empty name continues the entry above. */
export function aligned(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length)) + 2;
  return entries.map(([name, value]) => `${name.padEnd(width)}${value}`.trimEnd()).join("\n");
}
