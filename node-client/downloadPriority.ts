import { addAbortListener } from "node:events";

/** The order of downloads: an image for a lease goes before one that is pulled in the background. */
export type DownloadPriority = {
  /** Downloads for a lease. Background downloads of other images are aborted. */
  forLease<Result>(reference: string, download: () => Promise<Result>): Promise<Result>;
  /**
   * Downloads in the background: starts when no lease downloads, is aborted when one begins, and starts again afterwards.
   *
   * @param download Ends soon after its signal is aborted, and does not throw then. Its result is dropped.
   */
  inBackground<Result>(
    reference: string,
    download: (signal: AbortSignal) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result>;
};

/** Creates the download order of a node. */
export function createDownloadPriority(): DownloadPriority {
  let leases = 0;
  let noLease = Promise.resolve();
  let resolveNoLease = () => {};
  const background = new Set<{ reference: string; preemption: AbortController }>();
  return {
    forLease: async (reference, download) => {
      if (leases === 0) noLease = new Promise((resolve) => (resolveNoLease = resolve));
      leases += 1;
      for (const other of background) if (other.reference !== reference) other.preemption.abort();
      try {
        return await download();
      } finally {
        leases -= 1;
        if (leases === 0) resolveNoLease();
      }
    },
    inBackground: async (reference, download, signal) => {
      const stop = Promise.withResolvers<void>();
      using _listening = addAbortListener(signal, () => stop.resolve());
      for (;;) {
        while (leases > 0 && !signal.aborted) await Promise.race([noLease, stop.promise]);
        const preemption = new AbortController();
        const running = { reference, preemption };
        background.add(running);
        try {
          const result = await download(AbortSignal.any([signal, preemption.signal]));
          if (signal.aborted || !preemption.signal.aborted) return result;
        } finally {
          background.delete(running);
        }
      }
    },
  };
}
