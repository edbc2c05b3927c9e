import { FatalError } from "@ngpu/runtime/errors";
import { callApi } from "./api.ts";
import type { WorkspaceOptions } from "./workspace.ts";

type Reason = {
  code: string;
  message: string;
  hint: string;
  details: Record<string, unknown>;
  since: string;
};
type Shown = {
  id: string;
  name: string | null;
  status: string;
  reason: Reason | null;
  replicas: { wanted: number; running: number };
  replicaList: { replica: number; node: { id: number } | null; reason: Reason | null }[];
};
type Event = {
  time: string;
  code: string;
  message: string;
  replica: number | null;
  lease: number | null;
  nodeId: number | null;
  count: number;
};

/**
 * Prints a workspace and why its replicas do not run.
 *
 * @throws FatalError `api_key_not_configured`; the errors of `callApi`.
 */
export async function showWorkspace(id: string, options: WorkspaceOptions): Promise<void> {
  const shown = (await call(id, "", options)) as Shown;
  if (options.json) return print(JSON.stringify(shown));
  const { name, status, reason, replicas, replicaList } = shown;
  const lines = [
    `Workspace ${shown.id}${name === null ? "" : ` (${name})`}: ${status}, ${replicas.running} of ${replicas.wanted} replicas run.`,
    ...(reason === null ? [] : textOf(reason)),
    ...replicaList.flatMap(({ replica, node, reason: own }) => [
      `Replica ${replica}${node === null ? "" : ` on node ${node.id}`}: ${own === null ? "runs." : `${own.message} (${own.code})`}`,
    ]),
  ];
  print(lines.join("\n"));
}

/**
 * Prints the history of a workspace, oldest first.
 *
 * @throws FatalError `api_key_not_configured`; the errors of `callApi`.
 */
export async function showEvents(id: string, options: WorkspaceOptions): Promise<void> {
  for (let after = ""; ; ) {
    const page = (await call(id, `/events?limit=200${after}`, options)) as {
      events: Event[];
      next: string | null;
    };
    for (const event of page.events) print(options.json ? JSON.stringify(event) : lineOf(event));
    if (page.next === null) return;
    after = `&after=${page.next}`;
  }
}

function call(id: string, path: string, options: WorkspaceOptions): Promise<unknown> {
  if (options.key === undefined) {
    throw new FatalError("No API key is set.", {
      code: "api_key_not_configured",
      hint: "Pass --key or set NGPU_API_KEY.",
    });
  }
  return callApi(options, `/v1/workspaces/${encodeURIComponent(id)}${path}`);
}

function textOf({ code, message, hint, details, since }: Reason): string[] {
  const { log, ...facts } = details;
  return [
    `${message} (${code}, since ${since})`,
    hint,
    ...Object.entries(facts).map(([fact, value]) => `  ${fact}: ${valueText(value)}`),
    ...(typeof log === "string" && log !== ""
      ? ["  output:", ...log.split("\n").map((line) => `    ${line}`)]
      : []),
  ];
}

/** The API's texts have no control characters besides tabs and line feeds. */
const valueText = (value: unknown) =>
  typeof value === "string" ? value.replaceAll("\n", "\n    ") : JSON.stringify(value);

function lineOf({ time, code, message, replica, lease, nodeId, count }: Event): string {
  const where = [
    ...(replica === null ? [] : [`replica ${replica}`]),
    ...(lease === null ? [] : [`lease ${lease}`]),
    ...(nodeId === null ? [] : [`node ${nodeId}`]),
  ].join(", ");
  return `${time}  ${code}${where === "" ? "" : `  ${where}`}  ${message}${count > 1 ? ` (${count} times)` : ""}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
