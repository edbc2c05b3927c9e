/** What its owner ordered a workspace to be. */
export type Model = {
  state: "open" | "stopped" | "closed";
  replicas: number;
  /** The newest configuration. */
  version: number;
  /** Revoked: existing leases continue, and nothing else is placed or ordered. Dry: no lease is paid. */
  funds: "paid" | "revoked" | "dry" | "revoked and dry";
};

export const isRevoked = ({ funds }: Model) => funds === "revoked" || funds === "revoked and dry";
export const isDry = ({ funds }: Model) => funds === "dry" || funds === "revoked and dry";

export type Order =
  | { type: "stop" }
  | { type: "start" }
  | { type: "delete" }
  | { type: "scale"; replicas: number }
  | { type: "update"; version: number };

/** What happens to a workspace without an order of the API. */
export type Turn = "expire" | "revoke" | "dry";

export function ordered(model: Model, order: Order): Model {
  if (model.state === "closed" || isRevoked(model)) return model;
  if (order.type === "stop") return { ...model, state: "stopped" };
  if (order.type === "start") return { ...model, state: "open" };
  if (order.type === "delete") return { ...model, state: "closed" };
  if (order.type === "scale") return { ...model, replicas: order.replicas };
  return { ...model, version: order.version };
}

export function turned(model: Model, turn: Turn): Model {
  if (turn === "expire") return { ...model, state: "closed" };
  const hasBoth = turn === "dry" ? isRevoked(model) : isDry(model);
  return { ...model, funds: hasBoth ? "revoked and dry" : turn === "dry" ? "dry" : "revoked" };
}

/** Why the API may refuse an order in this state; null: it may not. */
export function refusalOf(model: Model): string | null {
  if (model.state === "closed") return "workspace_closed";
  return isRevoked(model) ? "authorization_ended" : null;
}

/** A workspace as the chain has it. */
export type Observed = {
  status: "open" | "closed";
  stopped: boolean;
  replicas: number;
  version: number;
  leases: { replica: number; isRunning: boolean; mayRun: boolean; isOutdated: boolean }[];
};

/** Whether the workspace is what was ordered, and nothing is left to do. */
export function isSettled(model: Model, seen: Observed): boolean {
  if (seen.status !== (model.state === "closed" ? "closed" : "open")) return false;
  if (model.state === "closed") return seen.leases.length === 0;
  const isAsOrdered =
    seen.stopped === (model.state === "stopped") &&
    seen.replicas === model.replicas &&
    seen.version === model.version;
  if (!isAsOrdered || seen.leases.some((lease) => lease.replica >= model.replicas)) return false;
  if (model.state === "stopped") return seen.leases.every((lease) => !lease.isRunning && !lease.mayRun);
  if (isDry(model)) return seen.leases.length === 0;
  const areServing = seen.leases.every((lease) => lease.isRunning && lease.mayRun);
  // A rolling update ends where a replica that it deleted gets no successor.
  const isOutdated = seen.leases.some((lease) => lease.isOutdated);
  if (model.funds === "revoked") return areServing && (!isOutdated || seen.leases.length < model.replicas);
  return areServing && seen.leases.length === model.replicas && !isOutdated;
}
