import { createRegistry } from "@ngpu/runtime/metrics";
import { Counter, Gauge, type Registry } from "prom-client";

type State = {
  session: boolean;
  tunnels: number;
  running: readonly string[];
  gpus: readonly unknown[];
  sickGpus: readonly unknown[];
  lastContactAt: number;
  walls: { state: string; repairs: number };
};

/** The metrics of a compute node, beside those of its process. */
export function nodeMetrics(): {
  registry: Registry;
  countAction: (action: string, outcome: string) => void;
  watch: (state: () => State) => void;
} {
  const registry = createRegistry("node");
  const actions = new Counter({
    name: "ngpu_node_actions_total",
    help: "Actions towards the state on the chain, by kind and outcome",
    labelNames: ["action", "outcome"] as const,
    registers: [registry],
  });
  return {
    registry,
    countAction: (action, outcome) => actions.inc({ action, outcome }),
    watch: (state) => {
      const gauge = (name: string, help: string, read: (state: State) => number) =>
        new Gauge({
          name: `ngpu_node_${name}`,
          help,
          registers: [registry],
          collect() {
            this.set(read(state()));
          },
        });
      gauge("session_open", "1 while a session with match is open", (now) => (now.session ? 1 : 0));
      gauge("tunnels_open", "Open tunnels to gateways", (now) => now.tunnels);
      gauge("gpus_offered", "Healthy GPUs that the node offers", (now) => now.gpus.length);
      gauge("gpus_sick", "GPUs that are not offered because of an error", (now) => now.sickGpus.length);
      gauge("containers_running", "Running containers of leases", (now) => now.running.length);
      gauge("walls_down", "1 while the firewall between tenants and this machine is not up", ({ walls }) =>
        walls.state === "down" ? 1 : 0,
      );
      new Counter({
        name: "ngpu_node_firewall_repairs_total",
        help: "Times that the firewall's rules were put back after another program had removed them",
        registers: [registry],
        collect() {
          this.reset();
          this.inc(state().walls.repairs);
        },
      });
      gauge("last_contact_age_seconds", "Time since the last contact with the chain or match", (now) =>
        now.lastContactAt === 0 ? Number.NaN : (Date.now() - now.lastContactAt) / 1000,
      );
    },
  };
}
