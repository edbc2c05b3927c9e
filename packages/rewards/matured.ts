/** The length of a day, and the days after a day in which its downtime is refunded. */
export type HoldPeriods = { daySeconds: number; refundDays: number };

/**
 * The last day whose earnings a payout at `time` pays: negative without one. Earnings are held by periods of `refundDays` days, for
 * their period and the next.
 */
export function maturedDay(time: number, { daySeconds, refundDays }: HoldPeriods): number {
  return refundDays * (Math.floor(time / (daySeconds * refundDays)) - 1) - 1;
}
