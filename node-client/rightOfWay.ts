import { addAbortListener } from "node:events";

/** Who downloads first: an image for a lease goes before one that is brought ahead of demand. */
export type RightOfWay = {
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

export function createRightOfWay(): RightOfWay {
  let leases = 0;
  let clear = Promise.resolve();
  let open = () => {};
  let behind: { reference: string; giveWay: AbortController } | undefined;
  return {
    forLease: async (reference, download) => {
      if (leases === 0) clear = new Promise((resolve) => (open = resolve));
      leases += 1;
      if (behind?.reference !== reference) behind?.giveWay.abort();
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
        const giveWay = new AbortController();
        behind = { reference, giveWay };
        const result = await download(AbortSignal.any([signal, giveWay.signal]));
        behind = undefined;
        if (signal.aborted || !giveWay.signal.aborted) return result;
      }
    },
  };
}
