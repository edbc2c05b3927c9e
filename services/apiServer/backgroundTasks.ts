/** What the background tasks of one wallet take of a process at the same time. Further ones are queued in order. */
const atOnce = { tasks: 32, bytes: 64 << 20 };

type Waiting = { bytes: number; begin: () => void };
type Share = { tasks: number; bytes: number; waiting: Waiting[] };

/** The background tasks that run in this process. A wallet's tasks wait for its own alone. */
export function createBackgroundTasks() {
  const shares = new Map<string, Share>();
  const fits = ({ tasks, bytes }: Share, more: number) =>
    tasks === 0 || (tasks < atOnce.tasks && bytes + more <= atOnce.bytes);
  const take = (share: Share, bytes: number) => {
    share.tasks += 1;
    share.bytes += bytes;
  };
  const giveBack = (wallet: string, share: Share, bytes: number) => {
    share.tasks -= 1;
    share.bytes -= bytes;
    for (
      let next = share.waiting[0];
      next !== undefined && fits(share, next.bytes);
      next = share.waiting[0]
    ) {
      share.waiting.shift();
      take(share, next.bytes);
      next.begin();
    }
    if (share.tasks === 0) shares.delete(wallet);
  };
  return {
    /** Does a task's work when it is its turn. `bytes` is what it holds in memory meanwhile. */
    during: async (wallet: string, bytes: number, work: () => Promise<void>): Promise<void> => {
      const share = shares.get(wallet) ?? { tasks: 0, bytes: 0, waiting: [] };
      shares.set(wallet, share);
      if (share.waiting.length === 0 && fits(share, bytes)) take(share, bytes);
      else await new Promise<void>((begin) => share.waiting.push({ bytes, begin }));
      try {
        await work();
      } finally {
        giveBack(wallet, share, bytes);
      }
    },
  };
}

export type BackgroundTasks = ReturnType<typeof createBackgroundTasks>;
