import type { ApiClient } from "@ngpu/api-client/client";
import type { InputOf, ResultOf } from "@ngpu/api-client/routes";
import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { parsePrice } from "../shared/units.ts";
import { environmentOf } from "./environment.ts";
import { findWorkspace } from "./find.ts";
import { mergeRange, replicasOf, type ScalingOptions } from "./replicas.ts";

type Body = NonNullable<InputOf<"POST /v1/workspaces/{id}/update">["body"]>;
type Updated = ResultOf<"POST /v1/workspaces/{id}/update">;
type UpdateOptions = GlobalOptions & {
  image?: string;
  replicas?: string;
  maxDown?: string;
  maxPrice?: string;
  env?: string[];
  secret?: string[];
  secretFile?: string[];
  renewSecrets?: boolean;
  health?: string;
};

/**
 * Updates a workspace.
 *
 * @throws FatalError `api_key_not_configured`; InputError `option_invalid`; the errors of the API.
 */
export async function updateWorkspace(given: string, options: UpdateOptions): Promise<void> {
  const { image, replicas, maxDown, maxPrice, env, health, secret, secretFile, renewSecrets } = options;
  const body = {
    ...(image === undefined ? {} : { image }),
    ...(health === undefined ? {} : { health }),
    ...(replicas === undefined ? {} : { replicas: replicasOf(replicas, {}) }),
    ...(maxDown === undefined ? {} : { maxDown: Number(maxDown) }),
    ...(maxPrice === undefined ? {} : { maxPricePerSecond: parsePrice(maxPrice) }),
    ...(env === undefined ? {} : { env: environmentOf(env) }),
    ...(secret === undefined && secretFile === undefined
      ? {}
      : { secrets: { env: secret ?? [], files: secretFile ?? [] } }),
    ...(renewSecrets === undefined ? {} : { renewSecrets: true as const }),
  };
  const settings = settingsOf(options);
  await send(settings, partnerApi(settings), given, body);
}

/** Changes the number of replicas, or the range in which it follows the requests. */
export async function scaleWorkspace(
  given: string,
  replicas: string,
  options: GlobalOptions & ScalingOptions,
): Promise<void> {
  const settings = settingsOf(options);
  await send(settings, partnerApi(settings), given, { replicas: replicasOf(replicas, options) });
}

/** A range changes only what the command states of it. */
async function send(settings: Settings, api: ApiClient, given: string, body: Body): Promise<void> {
  const id = await findWorkspace(api, given);
  const { replicas } = body;
  const merged =
    typeof replicas === "object"
      ? mergeRange(replicas, (await api.call("GET /v1/workspaces/{id}", { path: { id } })).scaling)
      : replicas;
  const answer = await api.call("POST /v1/workspaces/{id}/update", {
    path: { id },
    body: { ...body, ...(merged === undefined ? {} : { replicas: merged }) },
  });
  print(settings.json ? json(answer) : updateText(answer));
}

function updateText({ updated, scaled }: Updated): string {
  return [
    updated === null ? "The spec is unchanged." : `Updated in ${updated}.`,
    ...(scaled === null ? [] : [`Scaled in ${scaled}.`]),
  ].join("\n");
}
