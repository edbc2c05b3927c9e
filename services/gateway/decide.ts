/** A replica that is running on the chain, under its highest lease. */
export type Replica = { workspaceId: string; replica: number; lease: number; nodeId: number };

/** The current state of a replica at this gateway. */
export type Load = {
  /** Whether the replica's node has a tunnel to this instance. */
  live: boolean;
  /** Number of requests in progress. */
  outstanding: number;
  /** Sequence number of the last request sent to the replica; 0: never used. */
  lastUsed: number;
};

/**
 * Orders the replicas whose node has a tunnel here: fewest requests in progress first, then least recently used, so that
 * equally busy replicas alternate.
 */
export function rankReplicas(replicas: Replica[], loadOf: (replica: Replica) => Load): Replica[] {
  return replicas
    .map((replica) => ({ replica, load: loadOf(replica) }))
    .filter(({ load }) => load.live)
    .sort((a, b) => a.load.outstanding - b.load.outstanding || a.load.lastUsed - b.load.lastUsed)
    .map(({ replica }) => replica);
}

/** Why a request to a replica failed without a response. */
export type ForwardFailure =
  /** The container did not receive the request. */
  | "not_delivered"
  /** The container may have received it. */
  | "broken"
  /** The container received it and did not answer in time. */
  | "timeout";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether the next replica may be tried. This requires that the body is buffered and that sending the request again cannot do
 * the same work twice.
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
 * Parses `/<workspaceId>/<path>?<query>`. Undefined for any other URL, and for a path with `.` or `..` segments, which another
 * server could resolve to a different workspace.
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
