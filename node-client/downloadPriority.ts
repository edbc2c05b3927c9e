import { addAbortListener } from "node:events";

/** Who downloads first: an image for a lease goes before one that is brought ahead of demand. */
export type DownloadPriority = {
  /** Downloads for a lease. What is being brought ahead of demand gives way, unless it is the same image. */
  forLease<Result>(reference: string, download: () => Promise<Result>): Promise<Result>;
  /**
   * Downloads ahead of demand, one at a time: begins when no lease downloads, is broken off when one begins, and is done anew then.
   *
   * @param download Ends soon after its signal is aborted; what it gives then is dropped.
   */
  ahead<Result>(
    reference: string,
    download: (signal: AbortSignal) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result>;
};

export function createDownloadPriority(): DownloadPriority {
  let leases = 0;
  let clear = Promise.resolve();
  let open = () => {};
  let background: { reference: string; preemption: AbortController } | undefined;
  return {
    forLease: async (reference, download) => {
      if (leases === 0) clear = new Promise((resolve) => (open = resolve));
      leases += 1;
      if (background?.reference !== reference) background?.preemption.abort();
      try {
        return await download();
      } finally {
        leases -= 1;
        if (leases === 0) open();
      }
    },
    ahead: async (reference, download, signal) => {
      const stop = Promise.withResolvers<void>();
      using _listening = addAbortListener(signal, () => stop.resolve());
      for (;;) {
        while (leases > 0 && !signal.aborted) await Promise.race([clear, stop.promise]);
        const preemption = new AbortController();
        background = { reference, preemption };
        const result = await download(AbortSignal.any([signal, preemption.signal]));
        background = undefined;
        if (signal.aborted || !preemption.signal.aborted) return result;
      }
    },
  };
}
