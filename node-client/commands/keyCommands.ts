import { resolve } from "node:path";
import { createChainClient } from "@ngpu/chain-reader/client";
import { createLogger } from "@ngpu/runtime/logger";
import type { Command } from "commander";
import { nodeKeyPlace, readLocalEnv, readNodeEnv } from "../env.ts";
import { backUpKey, importKey } from "../keys/backup.ts";
import { openIdentity } from "../keys/identity.ts";
import { passphrasePath } from "../keys/passphrase.ts";
import { keyPath } from "../keys/place.ts";
import { type KeyChange, nextAddress, prepareKeyChange } from "../keys/rotation.ts";
import { loadNetwork } from "../network.ts";
import { aligned } from "./format.ts";

type Json = { json?: true };

/** Adds the commands for the node's key. */
export function addKeyCommands(program: Command): void {
  const key = program.command("key").description("show, back up, move or replace this node's key");
  key
    .command("show")
    .description("print the key's address, and the files of the key and its passphrase")
    .option("--json", "as JSON")
    .action(showKey);
  key
    .command("backup")
    .description("write the key to a keystore file, as wallets read it")
    .argument("<file>", "the file to write")
    .requiredOption("--passphrase-file <file>", "file with the backup's passphrase, of mode 0600")
    .option("--json", "as JSON")
    .action(backUp);
  key
    .command("import")
    .description("make the key of a file this node's key: from a backup, or from another machine")
    .argument("<file>", "a keystore, or a private key in hexadecimal")
    .option("--passphrase-file <file>", "file with the keystore's passphrase, of mode 0600")
    .option("--replace", "replace the key that this machine has")
    .option("--json", "as JSON")
    .action(importFrom);
  key
    .command("rotate")
    .description(
      "create the next key, and print the transaction with which the node's wallet puts it in place",
    )
    .option("--json", "as JSON")
    .action(rotate);
}

async function showKey({ json }: Json): Promise<void> {
  const place = nodeKeyPlace(readLocalEnv());
  const { address } = await openIdentity(place);
  const next = nextAddress(place) ?? null;
  const shown = { address, file: keyPath(place), passphraseFile: passphrasePath(place), next };
  print(
    json,
    shown,
    aligned([
      ["Address", address],
      ["Key", shown.file],
      ["Passphrase", shown.passphraseFile],
      ...(next === null ? [] : [["Next key", `${next}, until the wallet puts it in place`] as const]),
    ]),
  );
}

async function backUp(
  file: string,
  { passphraseFile, json }: Json & { passphraseFile: string },
): Promise<void> {
  const path = resolve(file);
  const address = await backUpKey(nodeKeyPlace(readLocalEnv()), path, resolve(passphraseFile));
  print(
    json,
    { address, file: path },
    `The key ${address} is in ${path}. Keep it and its passphrase apart from this machine.`,
  );
}

async function importFrom(
  file: string,
  { passphraseFile, replace, json }: Json & { passphraseFile?: string; replace?: true },
): Promise<void> {
  const place = nodeKeyPlace(readLocalEnv());
  const from = passphraseFile === undefined ? undefined : resolve(passphraseFile);
  const address = await importKey(place, resolve(file), { passphraseFile: from, replace: replace === true });
  print(
    json,
    { address, file: keyPath(place) },
    `The node's key is ${address}. Stop the client on the other machine, then restart this one.`,
  );
}

async function rotate({ json }: Json): Promise<void> {
  const env = readNodeEnv();
  const network = await loadNetwork({
    api: env.NGPU_API,
    dir: env.NODE_DIR,
    logger: createLogger("node", "silent"),
    attempts: 1,
  });
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: network.deployment.chainId });
  const change = await prepareKeyChange(nodeKeyPlace(env), { client, deployment: network.deployment });
  print(json, change, describe(change));
}

function describe({ nodeId, from, to, wallet, transaction }: KeyChange): string {
  return [
    `The next key of node ${nodeId} is ${to}. Send this transaction from its wallet ${wallet} within a day:`,
    JSON.stringify(transaction, null, 2),
    `Until then the node runs with ${from}. The client restarts with the next key by itself; id, leases and earnings stay.`,
  ].join("\n");
}

function print(json: true | undefined, value: unknown, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
}
