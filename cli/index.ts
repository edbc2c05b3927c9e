import { strategyTexts } from "@ngpu/protocol/placement/preferences";
import { start } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command, Option } from "commander";
import { explainPlacement } from "./explain.ts";
import { askFaucet } from "./faucet.ts";
import { showPrefetch } from "./prefetch.ts";
import { verifyPlacement } from "./verifyPlacement.ts";
import { verifyReceipt } from "./verifyReceipt.ts";
import { updateWorkspace } from "./workspace.ts";

/* `npm run cli -- <command>`: what operators, partners and auditors do from a terminal. */

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
    new Option("--api <url>", "the API that ran the task").env("NGPU_API").default("http://127.0.0.1:8080"),
  )
  .addOption(new Option("--key <key>", "API key of the task's owner").env("NGPU_API_KEY"))
  .option("--rpc-url <url>", "RPC endpoint of the chain (default: the one the API names)")
  .option("--json", "print one JSON object", false)
  .action(verifyReceipt);

program
  .command("explain")
  .description("show where a workspace could be placed now, and why other nodes are rejected")
  .argument(
    "[file]",
    "request body of POST /v1/workspaces as JSON, - for stdin (default: built from the options)",
  )
  .option(
    "--api <url>",
    "the partner API (default: NGPU_API)",
    process.env.NGPU_API ?? "http://127.0.0.1:8080",
  )
  .option("--gpus <count>", "GPUs of one replica")
  .option("--gpu-model <name>", "model name as printed by the driver")
  .option("--vram-gib <gib>", "minimum memory of one GPU")
  .option("--capability <version>", "minimum CUDA compute capability, such as 9.0")
  .option("--cpu <cores>", "CPU cores per replica", "1")
  .option("--memory-mib <mib>", "memory per replica", "1024")
  .option("--disk-gib <gib>", "disk per replica", "1")
  .option("--ports <count>", "ports per replica", wholeNumber(0), 1)
  .option("--region <code>", "two capital letters, ISO 3166-1")
  .option("--max-price <units>", "highest price, token units a second", "18446744073709551615")
  .option("--replicas <count>", "how many copies", wholeNumber(1), 1)
  .option("--image <reference>", "reference@sha256:…")
  .option("--image-affinity <kind>", "any, prefer or require: whether nodes must already have the image")
  .option("--strategy <name>", Object.keys(strategyTexts).join(", "))
  .option("--pack", "place replicas on the same nodes instead of spreading them")
  .option("--latency-ms <ms>", "maximum measured latency")
  .option("--down-mbps <mbps>", "minimum measured download bandwidth")
  .option("--up-mbps <mbps>", "minimum measured upload bandwidth")
  .option("--uptime-percent <percent>", "minimum share of heartbeat slots in which the node was present")
  .option("--json", "print the API's answer", false)
  .action(explainPlacement);

program
  .command("prefetch")
  .description("show how often a lease found its image prefetched")
  .option(
    "--database-url <url>",
    "Postgres of the market (default: DATABASE_URL, or that of `npm start` in this directory)",
  )
  .option("--json", "print one JSON object", false)
  .action(showPrefetch);

program
  .command("faucet")
  .description("gives a wallet test tokens, on a market of `npm start`")
  .argument("<wallet>", "its address")
  .addOption(new Option("--api <url>", "the partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .option("--json", "print the API's answer", false)
  .action(askFaucet);

const workspace = program.command("workspace").description("manage workspaces over the partner API");
workspace
  .command("update")
  .description("change image, configuration or replicas with a rolling update")
  .argument("<id>", "workspace id")
  .addOption(new Option("--api <url>", "the partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .addOption(new Option("--key <key>", "API key of the owner").env("NGPU_API_KEY"))
  .option("--image <reference>", "reference@sha256:…")
  .option("--replicas <count>", "how many copies")
  .option("--max-down <count>", "maximum number of replicas that are down at once during the update")
  .option("--max-price <units>", "highest price, token units a second")
  .option("--env <NAME=value...>", "public environment variables; replaces all current ones")
  .option("--health <path>", "path that answers 2xx when the container is ready")
  .option("--json", "print the API's answer", false)
  .action(updateWorkspace);

await start(async () => {
  await program.parseAsync();
});
