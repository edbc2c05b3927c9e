import { type ApiClient, createApiClient } from "@ngpu/api-client/client";
import { FatalError } from "@ngpu/runtime/errors";
import { type Profile, readProfiles } from "./profiles.ts";

/** The options of every command. */
export type GlobalOptions = { api?: string; key?: string; profile?: string; json?: boolean };

/** Where the API is, and the key for it. */
export type Settings = { api: string; key: string | undefined; profile: Profile | undefined; json: boolean };

/** The API of a market of `npm start`. */
const localApi = "http://127.0.0.1:8080";
/** @deadline The API, of a command. A write waits for its transaction. The command fails. */
const timeoutMs = 180_000;

/**
 * The settings of a command: its options, else the environment, else the profile. The key of a profile is only sent to the
 * profile's own API.
 *
 * @throws FatalError `profile_not_found`, and the errors of `readProfiles`.
 */
export function settingsOf(options: GlobalOptions): Settings {
  const json = options.json === true;
  if (options.api !== undefined && options.key !== undefined) {
    return { api: options.api, key: options.key, profile: undefined, json };
  }
  const profile = profileOf(options.profile);
  const api = options.api ?? profile?.api ?? localApi;
  const own = profile !== undefined && origin(profile.api) === origin(api) ? profile : undefined;
  return { api, key: options.key ?? own?.key, profile: own, json };
}

/** The URL of the API where one is named: by an option, the environment or a profile. */
export function namedApi(options: GlobalOptions): string | undefined {
  return options.api ?? profileOf(options.profile)?.api;
}

function profileOf(name: string | undefined): Profile | undefined {
  const { current, profiles } = readProfiles();
  const profile = profiles[name ?? current];
  if (profile !== undefined || name === undefined) return profile;
  throw new FatalError(`There is no profile ${name}.`, {
    code: "profile_not_found",
    hint: `Create it with ngpu login --profile ${name}. ngpu profiles lists all.`,
  });
}

const origin = (url: string) => url.replace(/\/+$/, "");

/** A client of the API, with the key if there is one. */
export function apiOf(settings: Settings, signal?: AbortSignal): ApiClient {
  return createApiClient({ url: settings.api, apiKey: settings.key, timeoutMs, signal, longFetch });
}

/** Waits for a cold start and for tasks of hours. */
const longFetch: typeof fetch = async (input, init) => {
  const { patientFetch } = await import("./patientFetch.ts");
  return patientFetch(input, init);
};

/**
 * A client of the API that has a key.
 *
 * @throws FatalError `api_key_not_configured`.
 */
export function partnerApi(settings: Settings, signal?: AbortSignal): ApiClient {
  if (settings.key !== undefined) return apiOf(settings, signal);
  throw new FatalError("No API key is set.", {
    code: "api_key_not_configured",
    hint: "Run ngpu login, pass --key, or set NGPU_API_KEY.",
  });
}
