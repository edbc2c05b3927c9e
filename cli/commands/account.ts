import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { type Command, Option } from "commander";
import { lazy } from "../shared/lazy.ts";
import { addMemberCommands } from "./members.ts";
import { walletOption } from "./options.ts";

/** Sign-in, profiles and keys. */
export function addAccountCommands(program: Command): void {
  program
    .command("login")
    .description("check an API key and store it in a profile; with a wallet, sign in for a new key")
    .addOption(walletOption("file with the wallet's private key: signs in and gets a new key"))
    .option("--key-name <name>", "name of the new key", "ngpu")
    .option("--account <address>", "account that the wallet is a member of (default: its own)")
    .option("--invitation <text>", "accept an invitation to an account")
    .action(lazy(async () => (await import("../account/login.ts")).login));
  program
    .command("logout")
    .description("delete a profile; its key remains valid")
    .action(lazy(async () => (await import("../account/login.ts")).logout));
  program
    .command("profiles")
    .description("list the stored profiles")
    .option("--use <name>", "make a profile the current one")
    .action(lazy(async () => (await import("../account/profileList.ts")).showProfiles));
  addKeyCommands(program);
  addMemberCommands(program);
  addSecretCommands(program);
}

function addKeyCommands(program: Command): void {
  const keys = program.command("keys").description("list, create, rotate and revoke API keys");
  keys
    .command("ls", { isDefault: true })
    .description("list the account's keys")
    .action(lazy(async () => (await import("../account/keys.ts")).listKeys));
  keys
    .command("create")
    .description("create a key; it is shown only once")
    .argument("<name>", "name of the key")
    .addOption(
      new Option("--scope <scope...>", "what the key may do (default: everything that this key may)").choices(
        [
          ...["read", "tasks", "workspaces", "logs", "exec", "payments", "secrets", "webhooks", "keys"],
          ...["members", "audit"],
        ],
      ),
    )
    .option("--expires <duration>", "how long the key is valid, such as 30d (default: no expiry)")
    .option("--calls <count>", "calls a minute (default: the API's own limit)", wholeNumber(1))
    .option("--spend <amount>", "NGPU that it may spend a day, such as 2.5 (default: any amount)")
    .action(lazy(async () => (await import("../account/keys.ts")).createKey));
  keys
    .command("rotate")
    .description("replace a key by a new one, which is shown only once")
    .argument("<id>", "id of the key")
    .option("--overlap <duration>", "how long the replaced key is still accepted", "1d")
    .action(lazy(async () => (await import("../account/keys.ts")).rotateKey));
  keys
    .command("rm")
    .description("revoke keys")
    .argument("<id...>", "ids of the keys")
    .action(lazy(async () => (await import("../account/keys.ts")).revokeKeys));
}

function addSecretCommands(program: Command): void {
  const secrets = program
    .command("secrets")
    .description("set, list and delete secrets, which workspaces get as variables or files");
  secrets
    .command("ls", { isDefault: true })
    .alias("list")
    .description("list their names")
    .action(lazy(async () => (await import("../account/secrets.ts")).listSecrets));
  secrets
    .command("set")
    .description("set secrets; one NAME alone reads the value from standard input")
    .argument("<NAME=value...>", "names with their values, or one name")
    .option("--file <path>", "read the value of the one name from a file")
    .action(lazy(async () => (await import("../account/secrets.ts")).setSecrets));
  secrets
    .command("rm")
    .description("delete secrets; containers that run keep them until they end")
    .argument("<name...>", "names of the secrets")
    .action(lazy(async () => (await import("../account/secrets.ts")).deleteSecrets));
}
