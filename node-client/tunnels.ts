import { maintainTunnel, type TunnelOptions } from "./tunnel.ts";

export type Tunnels = {
  /** Opens a tunnel to each of these gateways and closes all others. */
  setGateways(urls: readonly string[]): void;
  /** Number of open tunnels. */
  open(): number;
  /** Resolves when all tunnels have ended, after the signal was aborted. */
  done(): Promise<unknown>;
};

/** Creates the tunnels to the market's gateways. */
export function createTunnels(options: Omit<TunnelOptions, "url" | "onChange">): Tunnels {
  const kept = new Map<string, { abort: AbortController; ended: Promise<void> }>();
  const open = new Set<string>();
  return {
    open: () => open.size,
    setGateways: (urls) => {
      for (const [url, { abort }] of kept) {
        if (urls.includes(url)) continue;
        abort.abort();
        kept.delete(url);
      }
      for (const url of urls) {
        if (kept.has(url)) continue;
        const abort = new AbortController();
        const ended = maintainTunnel({
          ...options,
          url,
          signal: AbortSignal.any([options.signal, abort.signal]),
          onChange: (isOpen) => (isOpen ? open.add(url) : open.delete(url)),
        });
        kept.set(url, { abort, ended });
      }
    },
    done: () => Promise.all([...kept.values()].map(({ ended }) => ended)),
  };
}
