import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { EndpointState } from "@ngpu/chain-reader/endpoints/endpoints";
import type { Header } from "@ngpu/chain-reader/rpc";
import type { FollowStep } from "@ngpu/chain-reader/steps";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { HealthFacts, Role } from "./decide.ts";
import type { AuditResult } from "./leftOut.ts";

/** What is seen while exporting: for /metrics, and the facts that /healthz is judged by. */
export type Watch = {
  facts: () => Pick<HealthFacts, "role" | "head" | "tip">;
  became: (role: Role) => void;
  sawHead: (head: Header) => void;
  sawFault: (code: string) => void;
  sawEndpointFault: (endpoint: string, code: string) => void;
  stored: (step: FollowStep, events: number) => void;
  audited: (result: AuditResult) => void;
};

export function createWatch(registry: Registry): Watch {
  const registers = [registry];
  const leading = new Gauge({ name: "export_leading", help: "1 while this instance writes", registers });
  const headNumber = new Gauge({
    name: "export_head",
    help: "Number of the endpoint's newest block",
    registers,
  });
  const tipNumber = new Gauge({ name: "export_tip", help: "Number of the last block stored", registers });
  const lag = new Gauge({
    name: "export_lag_blocks",
    help: "Blocks between the head and what is stored",
    registers,
  });
  const age = new Gauge({
    name: "export_tip_age_seconds",
    help: "Age of the last block when it was stored",
    registers,
  });
  const events = new Counter({ name: "export_events_total", help: "Events stored", registers });
  const reorgs = new Histogram({
    name: "export_reorg_depth",
    help: "Blocks that reorgs made void",
    buckets: [1, 2, 5, 10, 50, 100, 500, 1_000],
    registers,
  });
  const faults = new Counter({
    name: "export_rpc_faults_total",
    help: "Faults of the chain's endpoints",
    labelNames: ["code"],
    registers,
  });
  const endpointFaults = new Counter({
    name: "export_rpc_endpoint_faults_total",
    help: "Faults of each endpoint, also those that another one made good",
    labelNames: ["endpoint", "code"],
    registers,
  });
  const audits = new Counter({
    name: "export_audited_blocks_total",
    help: "Blocks whose rows were compared with their receipts",
    labelNames: ["result"],
    registers,
  });
  const seen: Pick<HealthFacts, "role" | "head" | "tip"> = {
    role: "starting",
    head: undefined,
    tip: undefined,
  };
  const setLag = () => {
    if (seen.head !== undefined && seen.tip !== undefined) lag.set(Number(seen.head.number - seen.tip));
  };
  const setTip = (tip: bigint) => {
    seen.tip = tip;
    tipNumber.set(Number(tip));
    setLag();
  };
  return {
    facts: () => ({ ...seen }),
    became: (role) => {
      seen.role = role;
      leading.set(role === "leader" ? 1 : 0);
    },
    sawHead: ({ number, timestamp }) => {
      seen.head = { number, timestamp, seenAt: Date.now() / 1_000 };
      headNumber.set(Number(number));
      setLag();
    },
    sawFault: (code) => faults.inc({ code }),
    sawEndpointFault: (endpoint, code) => endpointFaults.inc({ endpoint, code }),
    audited: (result) => audits.inc({ result }),
    stored: (step, count) => {
      if (step.type === "reorg") {
        reorgs.observe(Number(step.depth));
        setTip(step.ancestor?.number ?? 0n);
        return;
      }
      events.inc(count);
      const last = step.blocks.at(-1) as FollowedBlock;
      age.set(Date.now() / 1_000 - Number(last.timestamp));
      setTip(last.number);
    },
  };
}

/** Shows how each endpoint stands, whenever the metrics are read. */
export function watchEndpoints(registry: Registry, states: () => EndpointState[]): void {
  const gauge = (name: string, help: string, read: (state: EndpointState) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ["endpoint"],
      registers: [registry],
      collect() {
        for (const state of states()) {
          const value = read(state);
          if (value !== undefined) this.set({ endpoint: state.name }, value);
        }
      },
    });
  gauge(
    "export_rpc_endpoint_score",
    "Expected cost of asking the endpoint; the least is asked",
    (s) => s.score,
  );
  gauge("export_rpc_endpoint_latency_ms", "Milliseconds an answer takes, smoothed", (s) => s.latency);
  gauge("export_rpc_endpoint_head", "Newest block the endpoint spoke of", (s) =>
    s.head === undefined ? undefined : Number(s.head),
  );
  gauge("export_rpc_endpoint_resting", "1 while the endpoint is left alone after faults", (s) =>
    s.restsUntil > performance.now() ? 1 : 0,
  );
}
