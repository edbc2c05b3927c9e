/** Names of the contracts' enum values, indexed by value. Postgres and the API use these names. */
export const nodeStatuses = ["none", "online", "offline", "maintenance"] as const;
export const assignmentStates = [
  "none",
  "assigned",
  "ready",
  "running",
  "stopped",
  "failed",
  "deleted",
  "released",
] as const;
export const desiredStates = ["hold", "run", "stop", "delete"] as const;
export const releaseReasons = [
  "deleted",
  "lost",
  "unfunded",
  "expired",
  "replaced",
  "late",
  "silent",
] as const;
export const milestones = ["none", "accepted", "downloading", "downloaded", "verified"] as const;
export const closeReasons = ["ended", "overdrawn", "authorization_ended", "lock_spent"] as const;
export const leaseClocks = [
  "closed",
  "new",
  "running",
  "waiting",
  "stopping",
  "resting",
  "ending",
  "ended",
] as const;
export const policies = ["available", "exclusive"] as const;
export const waveStages = ["chase", "answers", "results"] as const;
export const heartbeatEncodings = ["bitmap", "absentees"] as const;

export type NodeStatus = (typeof nodeStatuses)[number];
export type AssignmentState = (typeof assignmentStates)[number];
export type Desired = (typeof desiredStates)[number];
export type Milestone = (typeof milestones)[number];
export type Policy = (typeof policies)[number];

/** The enum value of a name. */
export function codeOf<Names extends readonly string[]>(names: Names, name: Names[number]): number {
  return names.indexOf(name);
}
