/** Slots that ComputeNode keeps at most. */
const keptSlots = 256;

/** The number of past slots that ComputeNode still takes commits and disputes of. */
export function heartbeatWindowSlots(periods: {
  heartbeatWindowSeconds: number;
  slotSeconds: number;
}): number {
  const slots = Math.floor(periods.heartbeatWindowSeconds / periods.slotSeconds);
  return Math.min(keptSlots, Math.max(1, slots));
}
