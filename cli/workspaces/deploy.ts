import { randomUUID } from "node:crypto";
import type { ApiClient } from "@ngpu/api-client/client";
import { InputError } from "@ngpu/runtime/errors";
import { endWith } from "../shared/exitCodes.ts";
import { json, note, print } from "../shared/output.ts";
import { apiOf, type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { hourly, parseSeconds } from "../shared/units.ts";
import { findByName } from "./find.ts";
import { type Manifest, type ManifestOptions, manifestOf } from "./manifest.ts";
import { waitUntilRunning } from "./progress.ts";
import { templateFields } from "./templates.ts";

type Options = GlobalOptions &
  ManifestOptions & { template?: string; dryRun: boolean; detach: boolean; new: boolean; timeout: string };

/** Publishes a workspace and waits until all its replicas run. */
export async function deploy(file: string | undefined, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const base = options.template === undefined ? {} : await templateFields(settings, options.template);
  const manifest = manifestOf(file, options, base);
  const seconds = parseSeconds(options.timeout);
  if (options.dryRun) return explain(settings, manifest);
  const api = partnerApi(settings);
  if (!options.new && typeof manifest.name === "string") await requireNewName(api, manifest.name);
  const { id, txHash } = await api.call(
    "POST /v1/workspaces",
    { body: manifest as never },
    { idempotencyKey: randomUUID() },
  );
  const name = manifest.name === undefined ? "" : ` (${manifest.name})`;
  if (options.detach)
    return print(settings.json ? json({ id, txHash }) : `Published workspace ${id}${name}.`);
  note(`Published workspace ${id}${name} in ${txHash}.`);
  await waitUntilRunning(settings, id, seconds);
}

/** Shows where the workspace could run, and what it would cost. The exit code is 2 when no node fits. */
async function explain(settings: Settings, manifest: Manifest): Promise<void> {
  const answer = await apiOf(settings).call("POST /v1/match/explain", { body: manifest as never });
  const { replicas: given } = manifest as { replicas?: number | { max?: number } };
  const replicas = BigInt((typeof given === "object" ? given.max : given) ?? 1);
  const highest = BigInt(String(manifest.maxPricePerSecond)) * replicas;
  if (settings.json) print(json({ request: manifest, ...answer }));
  else {
    print(answer.messages.join("\n"));
    print(`It would cost at most ${hourly(highest)} NGPU an hour. Nothing was published.`);
  }
  endWith(answer.fitting > 0 ? "success" : "no");
}

/** Publishing a file twice pays twice, so an open workspace of the same name is refused. */
async function requireNewName(api: ApiClient, name: string): Promise<void> {
  const id = await findByName(api, name);
  if (id === undefined) return;
  throw new InputError(`Workspace ${id} has the name ${name} already.`, {
    code: "workspace_name_taken",
    hint: `Change it with ngpu update ${name}, close it with ngpu rm ${name}, or publish another with --new.`,
  });
}
