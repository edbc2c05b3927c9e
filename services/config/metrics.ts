import type { OnlineRepository } from "@ngpu/update-repository/online";
import { Gauge, type Registry } from "prom-client";

/** Creates the metrics of config, which are read at each scrape. */
export function watchRollout(registry: Registry, repository: OnlineRepository): void {
  new Gauge({
    name: "ngpu_config_rollout_percent",
    help: "Share of the clients that may install the release, 0 while the rollout is paused",
    labelNames: ["release"],
    registers: [registry],
    collect() {
      this.reset();
      const rollout = repository.rollout();
      if (rollout === undefined) return;
      this.set({ release: rollout.release }, rollout.paused === null ? rollout.percent : 0);
    },
  });
  new Gauge({
    name: "ngpu_config_signatures_expire_timestamp_seconds",
    help: "When the first signature expires that clients verify",
    registers: [registry],
    collect() {
      this.set((repository.expiresAt() ?? 0) / 1_000);
    },
  });
}
