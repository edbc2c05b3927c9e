import { strategyTexts } from "@ngpu/protocol/placement/preferences";
import { start } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command, Option } from "commander";
import { explainPlacement } from "./explain.ts";
import { showReward } from "./explainReward.ts";
import { requestTokens } from "./faucet.ts";
import { acceptNode, type OwnerOptions, replaceNodeKey, revokeNodeKey } from "./nodeOwner.ts";
import { showPrefetch } from "./prefetch.ts";
import { showEvents, showWorkspace } from "./showWorkspace.ts";
import { verifyEpoch, verifyReward } from "./verifyEpoch.ts";
import { verifyPlacement } from "./verifyPlacement.ts";
import { verifyReceipt } from "./verifyReceipt.ts";
import { updateWorkspace } from "./workspace.ts";

/* The command line of operators, partners and auditors: `npm run cli -- <command>`. */

const program = new Command("npm run cli --")
  .description("command-line client of ngpu")
  .version(version)
  .showHelpAfterError();

const verify = program.command("verify").description("recompute decisions of the market");
verify
  .command("placement")
  .description("recompute a placement from the chain's state at its block")
  .argument("<id>", "id of the placement, from GET /v1/workspaces/{id}")
  .addOption(
    new Option("--api <url>", "API to read the placement from (default: the database)").env("NGPU_API"),
  )
  .option(
    "--database-url <url>",
    "Postgres that autoExport exports the chain to (default: DATABASE_URL, or that of `npm start` in this directory)",
  )
  .option("--json", "print one JSON object", false)
  .action(verifyPlacement);
verify
  .command("receipt")
  .description("recompute a task's receipt and verify it against the root on the chain")
  .argument("<id>", "task id")
  .addOption(
    new Option("--api <url>", "partner API that ran the task")
      .env("NGPU_API")
      .default("http://127.0.0.1:8080"),
  )
  .addOption(new Option("--key <key>", "API key of the task's owner").env("NGPU_API_KEY"))
  .option("--rpc-url <url>", "RPC endpoint of the chain (default: from the API)")
  .option("--json", "print one JSON object", false)
  .action(verifyReceipt);

const epochOptions = (command: Command) =>
  command
    .addOption(
      new Option("--api <url>", "API to read the deployment from")
        .env("NGPU_API")
        .default("http://127.0.0.1:8080"),
    )
    .option("--rpc-url <url>", "RPC endpoint of the chain (default: from the API)")
    .option(
      "--deployment <file>",
      "deployment file; with --rpc-url, the API is not asked (default: from the API)",
    )
    .option("--json", "print one JSON object", false);
epochOptions(
  verify
    .command("epoch")
    .description("recompute an epoch's rewards from an RPC endpoint alone and compare the root")
    .argument("<number>", "number of a posted epoch")
    .option("--attest-with <file>", "file with a watcher's private key: attests the epoch if it is valid"),
).action(verifyEpoch);
epochOptions(
  verify
    .command("reward")
    .description("recompute what an account was granted from an RPC endpoint alone")
    .argument("<account>", "address of the account")
    .option("--epoch <number>", "epoch of the stated amount (default: what the API states)")
    .option("--cumulative <units>", "stated amount, token units (default: what the API states)"),
).action(verifyReward);

const explain = program
  .command("explain")
  .description("show where a workspace could be placed now, and why other nodes are rejected")
  .argument(
    "[file]",
    "request body of POST /v1/workspaces as JSON, - for stdin (default: built from the options)",
  )
  .option("--api <url>", "partner API (default: NGPU_API)", process.env.NGPU_API ?? "http://127.0.0.1:8080")
  .option("--gpus <count>", "GPUs of one replica")
  .option("--gpu-model <name>", "model name, such as RTX 4090")
  .option("--vram-gib <gib>", "minimum memory of one GPU by the size it is sold with, GB")
  .option("--capability <version>", "minimum CUDA compute capability, such as 9.0")
  .option("--cpu <cores>", "CPU cores per replica", "1")
  .option("--memory-mib <mib>", "memory per replica", "1024")
  .option("--disk-gib <gib>", "disk per replica", "1")
  .option("--ports <count>", "ports per replica", wholeNumber(0), 1)
  .option("--region <code>", "two uppercase letters, ISO 3166-1")
  .option("--max-price <units>", "maximum price, token units per second", "18446744073709551615")
  .option("--replicas <count>", "number of replicas", wholeNumber(1), 1)
  .option("--image <reference>", "reference@sha256:…")
  .option("--image-affinity <kind>", "any, prefer or require: whether nodes must already have the image")
  .option("--strategy <name>", Object.keys(strategyTexts).join(", "))
  .option("--pack", "place replicas on the same nodes instead of spreading them")
  .option("--latency-ms <ms>", "maximum measured latency")
  .option("--down-mbps <mbps>", "minimum measured download bandwidth")
  .option("--up-mbps <mbps>", "minimum measured upload bandwidth")
  .option("--uptime-percent <percent>", "minimum share of heartbeat slots in which the node was present")
  .option("--json", "print the API's JSON response", false)
  .action(explainPlacement);
explain
  .command("reward")
  .description("explain what a node earned in an epoch, term by term")
  .requiredOption("--node <id>", "id of the node", wholeNumber(1))
  .requiredOption("--epoch <number>", "number of a posted epoch")
  .addOption(new Option("--api <url>", "partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .option("--json", "print the API's JSON response", false)
  .action(showReward);

program
  .command("prefetch")
  .description("show the hit rate of image prefetching")
  .option(
    "--database-url <url>",
    "Postgres of the market (default: DATABASE_URL, or that of `npm start` in this directory)",
  )
  .option("--json", "print one JSON object", false)
  .action(showPrefetch);

program
  .command("faucet")
  .description("send test tokens to a wallet, on a market of `npm start`")
  .argument("<wallet>", "address of the wallet")
  .addOption(new Option("--api <url>", "partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .option("--json", "print the API's JSON response", false)
  .action(requestTokens);

const node = program.command("node").description("act as the owner of a node, with its wallet");
const ownerCommand = (name: string, description: string) =>
  node
    .command(name)
    .description(description)
    .argument("<id>", "id of the node", wholeNumber(1))
    .addOption(new Option("--api <url>", "the market's API").env("NGPU_API").default("http://127.0.0.1:8080"))
    .option("--wallet <file>", "file with the wallet's private key (default: print the transaction)")
    .option("--rpc-url <url>", "RPC endpoint of the chain (default: from the API)")
    .option("--json", "print one JSON object", false);
ownerCommand("accept", "accept a node that asked for the wallet; its earnings then go there").action(
  acceptNode,
);
ownerCommand("revoke-key", "revoke a node's key: nothing more is placed on the node").action(revokeNodeKey);
ownerCommand("set-key", "give a node the key of a file, in place of its own")
  .requiredOption("--key-file <file>", "file with the new key; created if it does not exist")
  .action((id: number, options: OwnerOptions & { keyFile: string }) =>
    replaceNodeKey(id, options.keyFile, options),
  );

const workspace = program.command("workspace").description("manage workspaces over the partner API");
workspace
  .command("show")
  .description("show a workspace and why its replicas do not run")
  .argument("<id>", "workspace id")
  .addOption(new Option("--api <url>", "partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .addOption(new Option("--key <key>", "API key of the owner").env("NGPU_API_KEY"))
  .option("--json", "print the API's JSON response", false)
  .action(showWorkspace);
workspace
  .command("events")
  .description("show the history of a workspace, oldest first")
  .argument("<id>", "workspace id")
  .addOption(new Option("--api <url>", "partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .addOption(new Option("--key <key>", "API key of the owner").env("NGPU_API_KEY"))
  .option("--json", "print one JSON object for each event", false)
  .action(showEvents);
workspace
  .command("update")
  .description("change image, configuration or replicas with a rolling update")
  .argument("<id>", "workspace id")
  .addOption(new Option("--api <url>", "partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .addOption(new Option("--key <key>", "API key of the owner").env("NGPU_API_KEY"))
  .option("--image <reference>", "reference@sha256:…")
  .option("--replicas <count>", "number of replicas")
  .option("--max-down <count>", "maximum number of replicas that are down at the same time during the update")
  .option("--max-price <units>", "maximum price, token units per second")
  .option("--env <NAME=value...>", "public environment variables; replaces all current ones")
  .option("--health <path>", "path that returns 2xx when the container is ready")
  .option("--json", "print the API's JSON response", false)
  .action(updateWorkspace);

await start(async () => {
  await program.parseAsync();
});
