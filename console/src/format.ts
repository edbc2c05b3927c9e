const unit = 10n ** 18n;
/** A smaller figure than with this many zeros after its point is written with an exponent. */
const longestZeros = 6;

/** Figures and times in one language. */
export type Format = ReturnType<typeof formatIn>;

export function formatIn(locale: string) {
  const integer = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  return {
    count: (value: number | bigint) => integer.format(value),
    decimal: (value: number) => decimal.format(value),
    percent: (share: number) => percent.format(share),
    /** Memory: 24,564 MiB is 24 GiB. */
    memory: (mib: number) =>
      mib >= 1024 ? `${decimal.format(mib / 1024)} GiB` : `${integer.format(mib)} MiB`,
    bytes: (bytes: number) => {
      const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
      return `${decimal.format(bytes / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
    },
    time: (at: string | number) => dateTime.format(dateOf(at)),
    clock: (at: string | number) => clock.format(dateOf(at)),
    /** How long ago, or in how long. */
    ago: (at: string | number, now = Date.now()) => {
      const [amount, name] = inUnits((dateOf(at).getTime() - now) / 1000);
      return relative.format(amount, name);
    },
  };
}

/** Unix seconds, or ISO 8601. */
const dateOf = (at: string | number) => new Date(typeof at === "number" ? at * 1000 : at);

function inUnits(seconds: number): [number, Intl.RelativeTimeFormatUnit] {
  const size = Math.abs(seconds);
  if (size < 60) return [Math.round(seconds), "second"];
  if (size < 3_600) return [Math.round(seconds / 60), "minute"];
  if (size < 86_400) return [Math.round(seconds / 3_600), "hour"];
  return [Math.round(seconds / 86_400), "day"];
}

/** Token units (1e-18) as NGPU with at most some significant digits; never rounded up. */
export function tokens(units: bigint | string, digits = 4): string {
  const value = BigInt(units);
  const sign = value < 0n ? "-" : "";
  const size = value < 0n ? -value : value;
  const whole = size / unit;
  const fraction = (size % unit).toString().padStart(18, "0");
  const leading = fraction.search(/[1-9]/);
  if (whole === 0n && leading >= longestZeros) return `${sign}${exponent(fraction, leading, digits)}`;
  const kept = whole > 0n ? Math.max(0, digits - whole.toString().length) : leading + digits;
  const shown = leading < 0 ? "" : fraction.slice(0, kept).replace(/0+$/, "");
  return `${sign}${grouped(whole.toString())}${shown === "" ? "" : `.${shown}`}`;
}

/** Token units as a decimal number of NGPU, exactly: `unitsOf` reads it again. */
export function decimalOf(units: bigint): string {
  const fraction = (units % unit).toString().padStart(18, "0").replace(/0+$/, "");
  return fraction === "" ? String(units / unit) : `${units / unit}.${fraction}`;
}

/** `3.6e-12`. */
function exponent(fraction: string, leading: number, digits: number): string {
  const rest = fraction.slice(leading + 1, leading + digits).replace(/0+$/, "");
  return `${fraction[leading]}${rest === "" ? "" : `.${rest}`}e-${leading + 1}`;
}

/** Token units of a decimal number of NGPU; undefined when the text is none. */
export function unitsOf(text: string): bigint | undefined {
  const match = /^(\d{1,20})(?:\.(\d{0,18}))?$/.exec(text.trim());
  if (match === null) return undefined;
  return BigInt(match[1] ?? 0) * unit + BigInt((match[2] ?? "").padEnd(18, "0"));
}

const grouped = (digits: string) => digits.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ",");

/** A price per second as NGPU per hour. */
export const perHour = (perSecond: bigint | string) => tokens(BigInt(perSecond) * 3_600n);

/** `0x1234…abcd`. */
export const short = (hex: string) => (hex.length > 14 ? `${hex.slice(0, 6)}…${hex.slice(-4)}` : hex);

/** A country of two letters by name; null: not declared. */
export function regionName(region: string | null, locale: string): string | null {
  if (region === null || !/^[A-Z]{2}$/.test(region)) return region;
  try {
    return new Intl.DisplayNames([locale], { type: "region" }).of(region) ?? region;
  } catch {
    return region;
  }
}
