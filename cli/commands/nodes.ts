import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { rpcOption, walletOption } from "./options.ts";

/** What the wallet of a node decides. */
export function addNodeCommands(program: Command): void {
  const node = program.command("node").description("act as the owner of a node, with its wallet");
  const ownerCommand = (name: string, description: string) =>
    node
      .command(name)
      .description(description)
      .argument("<id>", "id of the node", wholeNumber(1))
      .addOption(walletOption("file with the wallet's private key (default: print the transaction)"))
      .addOption(rpcOption());
  ownerCommand("accept", "accept a node that asked for the wallet; its earnings then go there").action(
    lazy(async () => (await import("../nodes/owner.ts")).acceptNode),
  );
  ownerCommand("revoke-key", "revoke a node's key: nothing more is placed on the node").action(
    lazy(async () => (await import("../nodes/owner.ts")).revokeNodeKey),
  );
  ownerCommand("set-key", "give a node the key of a file, in place of its own")
    .requiredOption("--key-file <file>", "file with the new key; created if it does not exist")
    .action(lazy(async () => (await import("../nodes/owner.ts")).replaceNodeKey));
}
