/**
 * Requests that a node answers itself instead of its lease's container. They travel through the tunnel as
 * `/n/<workspaceId>/<replica>/<lease>/<kind>`, beside the tasks of `/w/…`.
 */
export const nodeRequestKinds = ["logs", "exec", "stats"] as const;
export type NodeRequestKind = (typeof nodeRequestKinds)[number];

/**
 * Header of every answer to a node request: the kinds that the node serves, separated by commas. A node without this header is
 * older than node requests: it takes the path for that of an unknown lease.
 */
export const nodeKindsHeader = "x-ngpu-node-kinds";

const nodePath = /^\/n\/(\d{1,20})\/(\d{1,5})\/(\d{1,10})\/([a-z]{1,20})((?:\/[0-9a-zA-Z_-]{1,64})*)(?:\?|$)/;

export type NodeRequestPath = {
  workspaceId: string;
  replica: number;
  lease: number;
  /** Known or not: a newer gateway may ask for a kind that this node does not have. */
  kind: string;
  /** What follows the kind, such as the id of a session. */
  rest: string[];
};

/** Parses the path of a node request; undefined for any other path. */
export function parseNodePath(path: string): NodeRequestPath | undefined {
  const [matched, workspaceId, replica, lease, kind, rest = ""] = nodePath.exec(path) ?? [];
  if (matched === undefined || workspaceId === undefined || kind === undefined) return undefined;
  return {
    workspaceId: BigInt(workspaceId).toString(),
    replica: Number(replica),
    lease: Number(lease),
    kind,
    rest: rest.split("/").slice(1),
  };
}

const routedPath = /^\/(\d{1,20})\/(\d{1,5})(\/[a-z]{1,20}(?:\/[0-9a-zA-Z_-]{1,64})*(?:\?.*)?)$/;

/** Parses `/<workspaceId>/<replica>/<kind>…`, which apiServer asks a gateway for; undefined for any other URL. */
export function parseRoutedPath(
  url: string,
): { workspaceId: string; replica: number; path: string } | undefined {
  const [matched, workspaceId, replica, path] = routedPath.exec(url) ?? [];
  if (matched === undefined || workspaceId === undefined || path === undefined) return undefined;
  return { workspaceId: BigInt(workspaceId).toString(), replica: Number(replica), path };
}
