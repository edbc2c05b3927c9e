import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type MatchMetrics = ReturnType<typeof createMatchMetrics>;

/** What match counts. */
export function createMatchMetrics(registry: Registry) {
  const registers = [registry];
  return {
    sessions: new Gauge({
      name: "match_sessions",
      help: "Open sessions of this instance",
      labelNames: ["role"] as const,
      registers,
    }),
    messages: new Counter({
      name: "match_messages_total",
      help: "Messages from nodes and measurers",
      labelNames: ["type"] as const,
      registers,
    }),
    closed: new Counter({
      name: "match_sessions_refused_total",
      help: "Sessions closed by us, by the reason told",
      labelNames: ["code"] as const,
      registers,
    }),
    missed: new Counter({
      name: "match_nodes_silent_total",
      help: "Nodes that had a session and did not beat",
      registers,
    }),
    receipts: new Counter({
      name: "match_receipts_total",
      help: "Heartbeats acknowledged with a receipt",
      registers,
    }),
    relayed: new Counter({
      name: "match_relayed_total",
      help: "Signed messages brought to the chain",
      labelNames: ["kind", "outcome"] as const,
      registers,
    }),
    answers: new Counter({
      name: "match_placements_total",
      help: "Placement requests answered",
      labelNames: ["outcome"] as const,
      registers,
    }),
    slots: new Counter({ name: "match_slots_posted_total", help: "Heartbeat slots posted", registers }),
    lost: new Counter({
      name: "match_leases_lost_total",
      help: "Leases taken from nodes that were lost, by the signal that told it",
      labelNames: ["signal"] as const,
      registers,
    }),
    noticed: new Histogram({
      name: "match_loss_noticed_seconds",
      help: "From the last that was heard of a node until it was taken for lost, by signal",
      labelNames: ["signal"] as const,
      buckets: [1, 2, 4, 5, 6, 8, 10, 15, 30, 60],
      registers,
    }),
    prefetched: new Counter({
      name: "match_prefetched_total",
      help: "Images that nodes were asked to bring ahead of demand, by what came of it",
      labelNames: ["outcome"] as const,
      registers,
    }),
    prefetchAssignments: new Counter({
      name: "match_prefetch_assignments_total",
      help: "Assignments to nodes that had the image by a prefetch (hit) or not at all (miss)",
      labelNames: ["result"] as const,
      registers,
    }),
    away: new Gauge({
      name: "match_nodes_away",
      help: "Nodes that are missed now, by signal; told by the instance that watches",
      labelNames: ["signal"] as const,
      registers,
    }),
    suspicion: new Gauge({
      name: "match_outage_suspected",
      help: "1 while too much capacity is missing at once for anything to be reassigned",
      registers,
    }),
  };
}
