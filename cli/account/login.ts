import { createApiClient } from "@ngpu/api-client/client";
import { FatalError } from "@ngpu/runtime/errors";
import { json, note, print } from "../shared/output.ts";
import { profilesPath, readProfiles, writeProfiles } from "../shared/profiles.ts";
import { readSecret } from "../shared/prompt.ts";
import { type GlobalOptions, settingsOf } from "../shared/settings.ts";

type LoginOptions = GlobalOptions & {
  wallet?: string;
  keyName: string;
  account?: string;
  invitation?: string;
};

/**
 * Stores an API key in a profile after the API has accepted it. The key is given by an option or the environment, issued for a
 * wallet's signature, or asked for.
 */
export async function login(options: LoginOptions): Promise<void> {
  const stored = readProfiles();
  const name = options.profile ?? stored.current;
  const api = options.api ?? stored.profiles[name]?.api ?? settingsOf({ json: false }).api;
  const key = await keyFor(api, options);
  const { wallet } = await createApiClient({ url: api, apiKey: key }).call("GET /v1/account", {});
  const walletFile = options.wallet ?? stored.profiles[name]?.walletFile;
  const profile = { api, key, wallet, ...(walletFile === undefined ? {} : { walletFile }) };
  writeProfiles({ current: name, profiles: { ...stored.profiles, [name]: profile } });
  if (options.json === true) return print(json({ profile: name, api, wallet, file: profilesPath() }));
  print(`Logged in to ${api} as ${wallet}. Profile ${name} is stored in ${profilesPath()}.`);
}

async function keyFor(api: string, options: LoginOptions): Promise<string> {
  if (options.wallet !== undefined) {
    const { signIn } = await import("./signIn.ts");
    return signIn(api, options.wallet, options);
  }
  if (options.account !== undefined || options.invitation !== undefined) {
    throw new FatalError("Who signs in to an account of others signs with a wallet.", {
      code: "wallet_not_configured",
      hint: "Add --wallet with the file of your own wallet's key.",
    });
  }
  if (options.key !== undefined) return options.key;
  const typed = await readSecret(`API key for ${api}: `);
  if (typed !== "") return typed;
  throw new FatalError("No API key was given.", {
    code: "api_key_not_given",
    hint: "Type it, pipe it into stdin, set NGPU_API_KEY, or sign in with --wallet.",
  });
}

/** Deletes a profile. */
export async function logout(options: GlobalOptions): Promise<void> {
  const { current, profiles } = readProfiles();
  const name = options.profile ?? current;
  const { [name]: removed, ...rest } = profiles;
  if (removed !== undefined) writeProfiles({ current, profiles: rest });
  if (options.json === true) return print(json({ profile: name, deleted: removed !== undefined }));
  print(removed === undefined ? `There is no profile ${name}.` : `Profile ${name} is deleted.`);
  if (removed !== undefined) note("Its key remains valid; ngpu keys rm revokes keys.");
}
