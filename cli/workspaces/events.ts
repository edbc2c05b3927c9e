import type { Schema } from "@ngpu/api-client/client";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { findWorkspace } from "./find.ts";

type Event = Schema<"WorkspaceEvent">;
type Options = GlobalOptions & { follow?: boolean; after?: string };

/** Prints the history of a workspace, oldest first. With `follow` it waits for further events until Ctrl-C. */
export async function showEvents(given: string, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const show = (event: Event) => print(settings.json ? json(event) : lineOf(event));
  const id = await findWorkspace(partnerApi(settings), given);
  const { after } = options;
  if (options.follow !== true) {
    const query = { limit: 200, ...(after === undefined ? {} : { after }) };
    const list = partnerApi(settings).list("GET /v1/workspaces/{id}/events", { path: { id }, query });
    for await (const event of list) show(event);
    return;
  }
  await untilInterrupted(async (signal) => {
    const api = partnerApi(settings, signal);
    const stream = api.stream(
      "GET /v1/workspaces/{id}/events",
      { path: { id } },
      { resume: true, lastEventId: after },
    );
    for await (const { event, data } of stream) {
      if (event === "reorg") note(reorgText(JSON.parse(data)));
      else show(JSON.parse(data));
    }
  });
}

const reorgText = ({ replacedAfter }: { replacedAfter: string }) =>
  `The chain replaced the blocks after ${replacedAfter}; their events follow again.`;

function lineOf({ time, code, message, replica, lease, nodeId, count }: Event): string {
  const where = [
    ...(replica === null ? [] : [`replica ${replica}`]),
    ...(lease === null ? [] : [`lease ${lease}`]),
    ...(nodeId === null ? [] : [`node ${nodeId}`]),
  ].join(", ");
  return `${time}  ${code}${where === "" ? "" : `  ${where}`}  ${message}${count > 1 ? ` (${count} times)` : ""}`;
}
