import type { ApiClient } from "@ngpu/api-client/client";
import type { ResultOf } from "@ngpu/api-client/routes";
import { endWith } from "../shared/exitCodes.ts";
import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { findWorkspace } from "./find.ts";

type Answer = ResultOf<"DELETE /v1/workspaces/{id}">;
type Order = (given: string[], options: GlobalOptions) => Promise<void>;

/** Orders to whole workspaces. */
export const orders: Record<"stop" | "start" | "rm", Order> = {
  stop: each("Stopped", (api, id) => api.call("POST /v1/workspaces/{id}/stop", { path: { id } })),
  start: each("Started", (api, id) => api.call("POST /v1/workspaces/{id}/start", { path: { id } })),
  rm: each("Closed", (api, id) => api.call("DELETE /v1/workspaces/{id}", { path: { id } })),
};

function each(done: string, send: (api: ApiClient, id: string) => Promise<Answer>): Order {
  return async (given, options) => {
    const settings = settingsOf(options);
    const api = partnerApi(settings);
    for (const workspace of given) {
      const answer = await send(api, await findWorkspace(api, workspace));
      print(settings.json ? json(answer) : textOf(done, answer));
      if (answer.refusals.length > 0) endWith("no");
    }
  };
}

function textOf(done: string, { id, txHash, leases, refusals }: Answer): string {
  const what =
    txHash === null
      ? `Workspace ${id} needed no change.`
      : `${done} workspace ${id} (${leases.length} leases) in ${txHash}.`;
  const refused = refusals.map(
    ({ replica, lease, reason }) => `Replica ${replica}, lease ${lease}: ${reason}`,
  );
  return [what, ...refused].join("\n");
}
