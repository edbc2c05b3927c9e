/** A replica that the chain says is running, under its highest lease. */
export type Replica = { workspaceId: string; replica: number; lease: number; nodeId: number };

/** What the gateway itself knows of a replica at this moment. */
export type Load = {
  /** Whether the replica's node holds a tunnel here. */
  live: boolean;
  /** Requests sent to the replica that have not ended. */
  outstanding: number;
  /** Grows with every request sent; 0 when the replica was never used. */
  lastUsed: number;
};

/**
 * The order in which replicas are tried: those whose node is here, the least busy first, then the one that has rested
 * longest, so that equals take turns.
 */
export function rankReplicas(replicas: Replica[], loadOf: (replica: Replica) => Load): Replica[] {
  return replicas
    .map((replica) => ({ replica, load: loadOf(replica) }))
    .filter(({ load }) => load.live)
    .sort((a, b) => a.load.outstanding - b.load.outstanding || a.load.lastUsed - b.load.lastUsed)
    .map(({ replica }) => replica);
}

/** How a try at one replica ended without an answer to pass on. */
export type ForwardFailure =
  /** The container never saw the request. */
  | "not_delivered"
  /** It may have seen it. */
  | "broken"
  /** It had the whole request and did not answer in time. */
  | "timeout";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether the next replica may be tried: only when sending the request again cannot do the same work twice, and the request's
 * body is still held.
 */
export function mayTryNext(facts: {
  failure: ForwardFailure;
  method: string;
  bodyBuffered: boolean;
}): boolean {
  if (!facts.bodyBuffered || facts.failure === "timeout") return false;
  return facts.failure === "not_delivered" || safeMethods.has(facts.method);
}

const workspacePath = /^\/(\d{1,20})(\/.*)?$/;

/**
 * Splits `/<workspaceId>/<path>?<query>`. Undefined when it is none, or when its path has `.` or `..` segments, which a server
 * further on might resolve into another workspace.
 */
export function parseRoute(url: string): { workspaceId: string; path: string } | undefined {
  const found = workspacePath.exec(url);
  if (found?.[1] === undefined) return undefined;
  const path = found[2] ?? "/";
  const [pathname = "/"] = path.split("?");
  const segments = pathname.split(/\/|\\|%2f|%5c/i).map((segment) => segment.replaceAll(/%2e/gi, "."));
  if (segments.includes(".") || segments.includes("..")) return undefined;
  return { workspaceId: BigInt(found[1]).toString(), path };
}
