import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { EndpointState } from "@ngpu/chain-reader/endpoints/endpoints";
import type { FollowStep } from "@ngpu/chain-reader/followSteps";
import type { Header } from "@ngpu/chain-reader/header";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { HealthFacts, Role } from "./decide.ts";
import type { AuditResult } from "./omittedLogs.ts";

/** Records the exporter's state, for /metrics and for the facts of /healthz. */
export type Watch = {
  facts: () => Pick<HealthFacts, "role" | "head" | "tip">;
  setRole: (role: Role) => void;
  recordHead: (head: Header) => void;
  recordRpcError: (code: string) => void;
  recordEndpointError: (endpoint: string, code: string) => void;
  stored: (step: FollowStep, events: number) => void;
  audited: (result: AuditResult) => void;
  setAside: (event: string, code: string) => void;
};

export function createWatch(registry: Registry): Watch {
  const { leading, headNumber, tipNumber, lag, age } = createGauges(registry);
  const { events, reorgs, errors, endpointErrors, audits, aside } = createCounters(registry);
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
    setRole: (role) => {
      seen.role = role;
      leading.set(role === "leader" ? 1 : 0);
    },
    recordHead: ({ number, timestamp }) => {
      seen.head = { number, timestamp, seenAt: Date.now() / 1_000 };
      headNumber.set(Number(number));
      setLag();
    },
    recordRpcError: (code) => errors.inc({ code }),
    recordEndpointError: (endpoint, code) => endpointErrors.inc({ endpoint, code }),
    audited: (result) => audits.inc({ result }),
    setAside: (event, code) => aside.inc({ event, code }),
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

function createGauges(registry: Registry) {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [registry] });
  return {
    leading: gauge("ngpu_export_leading", "1 while this instance is the leader"),
    headNumber: gauge(
      "ngpu_export_head_block_number",
      "Number of the newest block that the chain's endpoints know",
    ),
    tipNumber: gauge("ngpu_export_tip_block_number", "Number of the last block stored"),
    lag: gauge("ngpu_export_lag_blocks", "Blocks between the head and the last block stored"),
    age: gauge("ngpu_export_tip_age_seconds", "Age of the last block when it was stored"),
  };
}

function createCounters(registry: Registry) {
  const registers = [registry];
  return {
    events: new Counter({ name: "ngpu_export_events_total", help: "Contract events stored", registers }),
    reorgs: new Histogram({
      name: "ngpu_export_reorg_depth_blocks",
      help: "Depth of reorganizations of the chain",
      buckets: [1, 2, 5, 10, 50, 100, 500, 1_000],
      registers,
    }),
    errors: new Counter({
      name: "ngpu_export_rpc_errors_total",
      help: "Requests to the chain that failed at every endpoint, by error code",
      labelNames: ["code"],
      registers,
    }),
    endpointErrors: new Counter({
      name: "ngpu_export_rpc_endpoint_errors_total",
      help: "Errors of each endpoint, including requests that another endpoint then served",
      labelNames: ["endpoint", "code"],
      registers,
    }),
    aside: new Counter({
      name: "ngpu_export_logs_set_aside_total",
      help: "Logs whose values could not be stored; they are in chain.set_aside",
      labelNames: ["event", "code"],
      registers,
    }),
    audits: new Counter({
      name: "ngpu_export_audited_blocks_total",
      help: "Blocks audited against their receipts",
      labelNames: ["result"],
      registers,
    }),
  };
}

/** Registers gauges with the state of each endpoint, read at each scrape. */
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
    "ngpu_export_rpc_endpoint_cost_seconds",
    "Expected cost of a request to the endpoint, failures included; the cheapest endpoint is used",
    (s) => s.score / 1_000,
  );
  gauge("ngpu_export_rpc_endpoint_latency_seconds", "Smoothed response time of the endpoint", (s) =>
    s.latency === undefined ? undefined : s.latency / 1_000,
  );
  gauge(
    "ngpu_export_rpc_endpoint_head_block_number",
    "Number of the newest block that the endpoint knows",
    (s) => (s.head === undefined ? undefined : Number(s.head)),
  );
  gauge("ngpu_export_rpc_endpoint_resting", "1 while the endpoint is not used because of errors", (s) =>
    s.cooldownUntil > performance.now() ? 1 : 0,
  );
}
