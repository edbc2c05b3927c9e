// Signs the client's releases and configuration offline: npm run updates -- --help
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { start } from "@ngpu/runtime/lifecycle";
import { createKeyFile, readKeyFile } from "@ngpu/update-repository/keys";
import {
  addRelease,
  createRepository,
  type OfflineKeys,
  renew,
  requireNoRepository,
  setClientConfig,
} from "@ngpu/update-repository/offline";
import { Command } from "commander";
import { archivesOf } from "./archives.ts";

type Options = { dir: string; keys: string; passphraseFile?: string; config?: string };

const program = new Command("npm run updates --").description(
  "Signs what node clients install. Keep the keys on a machine that is not on the network.",
);
for (const [name, description, action] of [
  ["init", "create the keys and an empty repository", init],
  ["add", "sign the release that client/manifest.json lists", add],
  ["configure", "sign the configuration of all clients", configure],
  ["renew", "sign root and releases again, before their signatures expire", renewAll],
] as const) {
  const command = program
    .command(name)
    .description(description)
    .requiredOption("--dir <folder>", "directory client of a release: npm run client:release -- --out FOLDER")
    .requiredOption("--keys <folder>", "directory of the keys")
    .option("--passphrase-file <file>", "file with the passphrase of the offline keys");
  if (name === "configure")
    command.requiredOption("--config <file>", "JSON file; docs/updates.md lists its fields");
  command.action((options: Options) => action(options));
}

await start(async () => {
  await program.parseAsync();
});

function init({ dir, keys, passphraseFile }: Options): void {
  requireNoRepository(dir);
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  const passphrase = passphraseOf(passphraseFile);
  const online = createKeyFile(join(keys, "online.pem"), undefined);
  const offline = {
    root: createKeyFile(join(keys, "root.pem"), passphrase),
    releases: createKeyFile(join(keys, "releases.pem"), passphrase),
  };
  createRepository(dir, offline, online.key, Date.now());
  say(`Created the keys in ${keys} and the repository in ${dir}/metadata.`);
  say("Move root.pem and releases.pem offline. config needs online.pem: ONLINE_KEY_FILE.");
  say("Write the release again, so that its archives have the root: npm run client:release.");
}

async function add({ dir, keys, passphraseFile }: Options): Promise<void> {
  const release = await archivesOf(dir);
  addRelease(dir, keysOf(keys, passphraseFile).releases, release, Date.now());
  const platforms = release.archives.map(({ platform }) => platform).join(", ");
  say(`Signed release ${release.version} for ${platforms}. Roll it out at config: PUT /rollout.`);
}

function configure({ dir, keys, passphraseFile, config }: Options): void {
  setClientConfig(dir, keysOf(keys, passphraseFile).releases, readJson(config as string), Date.now());
  say("Signed the configuration. Clients read it with their next check for an update.");
}

function renewAll({ dir, keys, passphraseFile }: Options): void {
  renew(dir, keysOf(keys, passphraseFile), Date.now());
  say("Signed root and releases again.");
}

function keysOf(folder: string, passphraseFile: string | undefined): OfflineKeys {
  const passphrase = passphraseOf(passphraseFile);
  const read = (name: string) => readKeyFile(join(folder, name), passphrase);
  return { root: read("root.pem"), releases: read("releases.pem") };
}

function passphraseOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readFileSync(file, "utf8").trim();
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new InputError(`${path} is not a JSON file: ${messageOf(error)}.`, {
      code: "client_config_invalid",
      hint: "docs/updates.md has an example.",
    });
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
