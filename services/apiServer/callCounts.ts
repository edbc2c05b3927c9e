import type { Redis } from "ioredis";

/** Milliseconds for which calls are counted. */
export const countWindow = 60_000;
/** @deadline Further calls of a key. Those that were counted in memory are added in Redis together. */
const sendAfter = 50;
/** Keys in memory at most. */
const mostKeys = 100_000;

export type Count = { totalHits: number; resetTime: Date };

/**
 * Counts calls by key, over all instances. The first call of a key asks Redis. Further ones are counted in memory, and added in
 * Redis together, so that instances differ by what they have counted for a moment. Without Redis each counts for itself.
 */
export type CallCounts = {
  add(key: string): Promise<Count>;
  /** The same without waiting; undefined, and not counted, when Redis is to be asked. */
  addNow(key: string): Count | undefined;
  reset(key: string): void;
};

type Entry = {
  total: number;
  /** Counted here, and not yet in Redis. */
  unsent: number;
  resetAt: number;
  isSending: boolean;
};

/** Adds to the count of a key, and returns it and the milliseconds that it is kept. */
const script = `local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {total, left}`;

export function createCallCounts(redis: Pick<Redis, "call">, prefix: string): CallCounts {
  const entries = new Map<string, Entry>();
  const send = async (key: string, hits: number): Promise<{ total: number; resetAt: number }> => {
    const answer = await redis.call("EVAL", script, "1", prefix + key, String(hits), String(countWindow));
    const [total, left] = answer as [number, number];
    return { total, resetAt: Date.now() + left };
  };
  const sendLater = (key: string, entry: Entry) => {
    if (entry.isSending) return;
    entry.isSending = true;
    setTimeout(() => void sendNow(key, entry), sendAfter).unref();
  };
  const sendNow = async (key: string, entry: Entry) => {
    const hits = entry.unsent;
    entry.unsent = 0;
    try {
      const { total, resetAt } = await send(key, hits);
      entry.total = total + entry.unsent;
      entry.resetAt = resetAt;
    } catch {
      // They stay counted here.
    }
    entry.isSending = false;
    if (entry.unsent > 0) sendLater(key, entry);
  };
  const addNow = (key: string): Count | undefined => {
    const entry = entries.get(key);
    if (entry === undefined || entry.resetAt <= Date.now()) return undefined;
    entry.total += 1;
    entry.unsent += 1;
    sendLater(key, entry);
    return countOf(entry);
  };
  const open = async (key: string): Promise<Count> => {
    const alone = { total: 1, resetAt: Date.now() + countWindow };
    const { total, resetAt } = await send(key, 1).catch(() => alone);
    const known = entries.get(key);
    // Another call of the key may have asked meanwhile.
    const unsent = known !== undefined && known.resetAt > Date.now() ? known.unsent : 0;
    const entry = { total: total + unsent, unsent, resetAt, isSending: false };
    if (unsent > 0) sendLater(key, entry);
    makeRoom(entries);
    entries.set(key, entry);
    return countOf(entry);
  };
  return {
    addNow,
    add: async (key) => addNow(key) ?? open(key),
    reset: (key) => void entries.delete(key),
  };
}

const countOf = ({ total, resetAt }: Entry): Count => ({ totalHits: total, resetTime: new Date(resetAt) });

/** Removes keys whose time is over; if there is none, the oldest. */
function makeRoom(entries: Map<string, Entry>): void {
  if (entries.size < mostKeys) return;
  const now = Date.now();
  for (const [key, { resetAt }] of entries) if (resetAt <= now) entries.delete(key);
  const [oldest = ""] = entries.keys();
  if (entries.size >= mostKeys) entries.delete(oldest);
}
