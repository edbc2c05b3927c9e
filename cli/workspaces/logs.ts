import type { ApiClient, Schema } from "@ngpu/api-client/client";
import { InputError } from "@ngpu/runtime/errors";
import { json, note, print, shown } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { parseSeconds } from "../shared/units.ts";
import { findWorkspace } from "./find.ts";
import { inOrder, sideBySide } from "./mergeLines.ts";

type Entry = Schema<"LogLine"> | Schema<"LogGap">;
type Options = GlobalOptions & {
  follow?: boolean;
  replica?: number;
  since?: string;
  stream?: "stdout" | "stderr";
  cursor?: string;
  timestamps?: boolean;
};

/** Prints the lines of a workspace's containers. With `follow` it waits for further ones until Ctrl-C. */
export async function showLogs(given: string, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const { follow = false, replica, cursor } = options;
  if (cursor !== undefined && replica === undefined) {
    throw new InputError("A cursor belongs to one replica.", {
      code: "cursor_without_replica",
      hint: "Add --replica with the number that the line has.",
    });
  }
  const since = sinceTime(options.since);
  await untilInterrupted(async (signal) => {
    const api = partnerApi(settings, signal);
    const id = await findWorkspace(api, given);
    const replicas = replica === undefined ? await replicasOf(api, id) : [replica];
    const query = {
      follow: follow ? ("true" as const) : ("false" as const),
      ...(since === undefined ? {} : { since }),
      ...(cursor === undefined ? {} : { cursor }),
      ...(options.stream === undefined ? {} : { stream: options.stream }),
    };
    const sources = replicas.map((number) =>
      api.lines<Entry>("GET /v1/workspaces/{id}/logs", {
        path: { id },
        query: { ...query, replica: String(number) },
      }),
    );
    const show = createPrinter({ ...options, json: settings.json, named: sources.length > 1 });
    for await (const entry of follow ? sideBySide(sources) : inOrder(sources, timeOf)) show(entry);
  });
}

async function replicasOf(api: ApiClient, id: string): Promise<number[]> {
  const { replicaList } = await api.call("GET /v1/workspaces/{id}", { path: { id } });
  const placed = replicaList.filter(({ node }) => node !== null).map(({ replica }) => replica);
  return placed.length === 0 ? [0] : placed;
}

const timeOf = (entry: Entry) => ("gap" in entry ? (entry.gap.until ?? "") : entry.time);

/** A time, or how long ago. @throws InputError `duration_invalid`. */
function sinceTime(text: string | undefined): string | undefined {
  if (text === undefined || /^\d{4}-/.test(text)) return text;
  return new Date(Date.now() - 1_000 * parseSeconds(text)).toISOString();
}

type Printing = { json: boolean; named: boolean; timestamps?: boolean };

function createPrinter({ json: isJson, named, timestamps = false }: Printing): (entry: Entry) => void {
  /** Lines whose first part was printed without an end. */
  const begun = new Set<string>();
  return (entry) => {
    if (isJson) return print(json(entry));
    if ("gap" in entry) return note(gapText(entry));
    const { replica, stream, time, partial } = entry;
    const key = `${replica} ${stream}`;
    const head = begun.has(key) ? "" : `${named ? `${replica}  ` : ""}${timestamps ? `${time}  ` : ""}`;
    if (partial === true) begun.add(key);
    else begun.delete(key);
    process.stdout.write(head);
    if (entry.base64 === undefined) process.stdout.write(shown(entry.text ?? ""));
    else process.stdout.write(bytesOf(entry.base64));
    if (partial !== true) process.stdout.write("\n");
  };
}

function bytesOf(base64: string): Buffer | string {
  const bytes = Buffer.from(base64, "base64");
  return process.stdout.isTTY ? shown(bytes.toString("utf8")) : bytes;
}

function gapText({ replica, gap }: Schema<"LogGap">): string {
  const after = gap.after === null ? "" : ` after ${gap.after}`;
  const until = gap.until === null ? "" : ` until ${gap.until}`;
  return gap.reason === "rotated"
    ? `Replica ${replica}: the node does not keep the lines${after}${until} any more.`
    : `Replica ${replica}: it has another container; the lines${after} were removed with the earlier one.`;
}
