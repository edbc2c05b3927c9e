import { strategyTexts } from "@ngpu/protocol/placement/wishes";
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
  .description("ngpu from a terminal")
  .version(version)
  .showHelpAfterError();

const verify = program.command("verify").description("recomputes what the market decided");
verify
  .command("placement")
  .description("decides a placement again from what the chain says as of its block")
  .argument("<id>", "id of the placement, as GET /v1/workspaces/{id} tells it")
  .addOption(
    new Option("--api <url>", "the API that tells of the placement; the database when left out").env(
      "NGPU_API",
    ),
  )
  .option(
    "--database-url <url>",
    "any Postgres that autoExport brings the chain into; DATABASE_URL, or that of `npm start` here, when left out",
  )
  .option("--json", "print one JSON object", false)
  .action(verifyPlacement);
verify
  .command("receipt")
  .description("computes a task's receipt again and looks for it under the root on the chain")
  .argument("<id>", "task id")
  .addOption(
    new Option("--api <url>", "the API that ran the task").env("NGPU_API").default("http://127.0.0.1:8080"),
  )
  .addOption(new Option("--key <key>", "API key of the task's owner").env("NGPU_API_KEY"))
  .option("--rpc-url <url>", "the chain to ask; what the API names when left out")
  .option("--json", "print one JSON object", false)
  .action(verifyReceipt);

program
  .command("explain")
  .description("says where a workspace could go now, and why not elsewhere")
  .argument("[file]", "JSON as POST /v1/workspaces takes it, - for stdin; the options when left out")
  .option(
    "--api <url>",
    "the partner API; NGPU_API when left out",
    process.env.NGPU_API ?? "http://127.0.0.1:8080",
  )
  .option("--gpus <count>", "GPUs of one replica")
  .option("--gpu-model <name>", "as the driver prints it")
  .option("--vram-gib <gib>", "least memory of one GPU")
  .option("--capability <version>", "least CUDA compute capability, such as 9.0")
  .option("--cpu <cores>", "cores of one replica", "1")
  .option("--memory-mib <mib>", "memory of one replica", "1024")
  .option("--disk-gib <gib>", "disk of one replica", "1")
  .option("--ports <count>", "ports of one replica", wholeNumber(0), 1)
  .option("--region <code>", "two capital letters, ISO 3166-1")
  .option("--max-price <units>", "highest price, token units a second", "18446744073709551615")
  .option("--replicas <count>", "how many copies", wholeNumber(1), 1)
  .option("--image <reference>", "reference@sha256:…")
  .option("--image-affinity <kind>", "any, prefer or require nodes that have the image")
  .option("--strategy <name>", Object.keys(strategyTexts).join(", "))
  .option("--pack", "replicas come together instead of keeping apart")
  .option("--latency-ms <ms>", "highest measured latency")
  .option("--down-mbps <mbps>", "least measured download bandwidth")
  .option("--up-mbps <mbps>", "least measured upload bandwidth")
  .option("--uptime-percent <percent>", "least share of heartbeat slots it was present in")
  .option("--json", "print the API's answer", false)
  .action(explainPlacement);

program
  .command("prefetch")
  .description("says how often images that were brought ahead of demand were there when a lease came")
  .option(
    "--database-url <url>",
    "Postgres of the market; DATABASE_URL, or that of `npm start` here, when left out",
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

const workspace = program.command("workspace").description("changes workspaces over the partner API");
workspace
  .command("update")
  .description("changes image, configuration or replicas; replicas are replaced a few at a time")
  .argument("<id>", "workspace id")
  .addOption(new Option("--api <url>", "the partner API").env("NGPU_API").default("http://127.0.0.1:8080"))
  .addOption(new Option("--key <key>", "API key of the owner").env("NGPU_API_KEY"))
  .option("--image <reference>", "reference@sha256:…")
  .option("--replicas <count>", "how many copies")
  .option("--max-down <count>", "replicas that may be down at once while they are replaced")
  .option("--max-price <units>", "highest price, token units a second")
  .option("--env <NAME=value...>", "public environment variables, in place of the former ones")
  .option("--health <path>", "path that answers 2xx when the container is ready")
  .option("--json", "print the API's answer", false)
  .action(updateWorkspace);

await start(async () => {
  await program.parseAsync();
});
