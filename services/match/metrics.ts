import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type MatchMetrics = ReturnType<typeof createMatchMetrics>;

/** The metrics of match. */
export function createMatchMetrics(registry: Registry) {
  const registers = [registry];
  return { ...sessionMetrics(registers), ...placementMetrics(registers), ...failoverMetrics(registers) };
}

/** Sessions and the heartbeats and messages that arrive over them. */
function sessionMetrics(registers: Registry[]) {
  return {
    sessions: new Gauge({
      name: "ngpu_match_sessions",
      help: "Open sessions of this instance",
      labelNames: ["role"] as const,
      registers,
    }),
    messages: new Counter({
      name: "ngpu_match_messages_total",
      help: "Messages from nodes and measurers",
      labelNames: ["type"] as const,
      registers,
    }),
    closed: new Counter({
      name: "ngpu_match_sessions_ended_total",
      help: "Sessions that match rejected or closed, by error code",
      labelNames: ["code"] as const,
      registers,
    }),
    reasonsSetAside: new Counter({
      name: "ngpu_match_reasons_set_aside_total",
      help: "Reports of nodes about leases that do not run, set aside: too many, an unknown code, invalid details, or no such lease",
      labelNames: ["reason"] as const,
      registers,
    }),
    silentNodes: new Counter({
      name: "ngpu_match_nodes_silent_total",
      help: "Times that a node with a session stopped sending heartbeats",
      registers,
    }),
    slotsRestored: new Counter({
      name: "ngpu_match_slots_restored_total",
      help: "Heartbeat slots that left out nodes that this market acknowledged, and were disputed",
      registers,
    }),
    acks: new Counter({
      name: "ngpu_match_heartbeat_acks_total",
      help: "Heartbeats acknowledged with an acknowledgement",
      registers,
    }),
    relayed: new Counter({
      name: "ngpu_match_relayed_messages_total",
      help: "Signed messages relayed to the chain, by outcome",
      labelNames: ["kind", "outcome"] as const,
      registers,
    }),
  };
}

/** Answers to placement requests, and prefetched images. */
function placementMetrics(registers: Registry[]) {
  return {
    answers: new Counter({
      name: "ngpu_match_placements_total",
      help: "Placement requests answered, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    prefetched: new Counter({
      name: "ngpu_match_prefetched_images_total",
      help: "Prefetch orders, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    prefetchAssignments: new Counter({
      name: "ngpu_match_prefetch_assignments_total",
      help: "Assignments to nodes that had prefetched the image (hit) or did not have it (miss)",
      labelNames: ["result"] as const,
      registers,
    }),
  };
}

/** Presence of nodes, and leases of lost nodes. */
function failoverMetrics(registers: Registry[]) {
  return {
    measurementsSetAside: new Gauge({
      name: "ngpu_match_measurements_set_aside",
      help: "Valid measurements that do not count because a value is above its bound; set by the leader",
      registers,
    }),
    slotsSetAside: new Gauge({
      name: "ngpu_match_heartbeat_slots_set_aside",
      help: "Newest heartbeat slots that do not count because their bits cannot be read; set by the leader",
      registers,
    }),
    slots: new Counter({
      name: "ngpu_match_heartbeat_slots_posted_total",
      help: "Heartbeat slots committed to the chain",
      registers,
    }),
    leasesLost: new Counter({
      name: "ngpu_match_leases_lost_total",
      help: "Leases released because their node was lost, by signal",
      labelNames: ["signal"] as const,
      registers,
    }),
    lossStatements: new Counter({
      name: "ngpu_match_loss_statements_total",
      help: "Statements that a node is silent, signed by this witness",
      registers,
    }),
    lossDetection: new Histogram({
      name: "ngpu_match_loss_detection_seconds",
      help: "Time from the last contact with a node until it was declared lost, by signal",
      labelNames: ["signal"] as const,
      buckets: [1, 2, 4, 5, 6, 8, 10, 15, 30, 60],
      registers,
    }),
    unreachable: new Gauge({
      name: "ngpu_match_nodes_away",
      help: "Nodes without contact, by signal; set by the leader",
      labelNames: ["signal"] as const,
      registers,
    }),
    suspicion: new Gauge({
      name: "ngpu_match_outage_suspected",
      help: "1 while too much capacity is missing to reassign leases",
      registers,
    }),
  };
}
