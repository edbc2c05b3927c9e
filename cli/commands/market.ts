import { strategyTexts } from "@ngpu/protocol/placement/strategies";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { deploymentOption, rpcOption } from "./options.ts";

const databaseText = "Postgres that autoExport exports the chain to";
const databaseDefault = "(default: DATABASE_URL, or that of `npm start` in this directory)";

/** Shows the market and verifies its decisions. */
export function addMarketCommands(program: Command): void {
  const market = program.command("market").description("show nodes, GPUs and prices");
  market
    .command("nodes", { isDefault: true })
    .description("list compute nodes with their free capacity and price")
    .option("-a, --all", "list nodes that are offline, too", false)
    .action(lazy(async () => (await import("../market/nodes.ts")).listNodes));
  market
    .command("gpus")
    .description("list GPU models with free cards and prices")
    .action(lazy(async () => (await import("../market/gpus.ts")).listGpus));
  market
    .command("node")
    .description("show a compute node")
    .argument("<id>", "node id")
    .action(lazy(async () => (await import("../market/nodes.ts")).showNode));
  addExplain(program);
  addVerify(program);
  program
    .command("prefetch")
    .description("show the hit rate of image prefetching")
    .option("--database-url <url>", `Postgres of the market ${databaseDefault}`)
    .action(lazy(async () => (await import("../audit/prefetch.ts")).showPrefetch));
}

function addExplain(program: Command): void {
  const explain = program
    .command("explain")
    .description("show where a workspace could be placed now, and why other nodes are rejected")
    .argument(
      "[file]",
      "request body of POST /v1/workspaces as JSON, - for stdin (default: built from the options)",
    )
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
    .action(lazy(async () => (await import("../market/explain.ts")).explainPlacement));
  explain
    .command("reward")
    .description("explain what a node earned in an epoch, term by term")
    .requiredOption("--node <id>", "id of the node", wholeNumber(1))
    .requiredOption("--epoch <number>", "number of a posted epoch")
    .action(lazy(async () => (await import("../market/explainReward.ts")).showReward));
}

function addVerify(program: Command): void {
  const verify = program.command("verify").description("recompute decisions of the market");
  verify
    .command("placement")
    .description(
      "recompute a lease's assignment from an RPC endpoint alone, or a placement from an export of the chain",
    )
    .argument(
      "<name>",
      "lease, as workspace/replica/lease, or id of the placement, from GET /v1/workspaces/{id}",
    )
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--database-url <url>", `${databaseText}, for the id of a placement ${databaseDefault}`)
    .action(lazy(async () => (await import("../audit/verifyPlacement.ts")).verifyPlacement));
  verify
    .command("receipt")
    .description("verify a task's receipt against the chain's logs from an RPC endpoint alone")
    .argument("<id>", "task id")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--receipt <file>", "response of GET /v1/tasks/{id}/receipt (default: from the API)")
    .option(
      "--task <file>",
      "response of GET /v1/tasks/{id}; with --receipt, without it the result is not compared",
    )
    .action(lazy(async () => (await import("../audit/verifyReceipt.ts")).verifyReceipt));
  addVerifyOfMarket(verify);
  addVerifyOfDays(verify);
  addVerifyOfEpochs(verify);
  addVerifyOfProofs(verify);
}

function addVerifyOfMarket(verify: Command): void {
  verify
    .command("market")
    .description(
      "recompute every placement, batch of receipts, day, refund, wave and epoch from an RPC endpoint alone",
    )
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--from-epoch <number>", "compare the records from the beginning of this epoch on")
    .option(
      "--no-receipts",
      "do not prove logs by the receipts of their blocks, where the endpoint lacks them",
    )
    .action(lazy(async () => (await import("../audit/verifyMarket.ts")).verifyMarket));
}

function addVerifyOfDays(verify: Command): void {
  verify
    .command("sla")
    .description("recompute the uptime of a day from an RPC endpoint alone and compare the root")
    .argument("<day>", "number of the day: its Unix time divided by the length of a day")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .action(lazy(async () => (await import("../audit/verifySla.ts")).verifySla));
  verify
    .command("refund")
    .description("recompute the downtime refunds of a day from an RPC endpoint alone")
    .argument("<day>", "number of the day: its Unix time divided by the length of a day")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .action(lazy(async () => (await import("../audit/verifyRefund.ts")).verifyRefund));
}

function addVerifyOfEpochs(verify: Command): void {
  verify
    .command("epoch")
    .description("recompute an epoch's rewards from an RPC endpoint alone and compare the root")
    .argument("<number>", "number of a posted epoch")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--attest-with <file>", "file with a watcher's private key: attests the epoch if it is valid")
    .action(lazy(async () => (await import("../audit/verifyEpoch.ts")).verifyEpoch));
  verify
    .command("reward")
    .description("recompute what an account was granted from an RPC endpoint alone")
    .argument("<account>", "address of the account")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--epoch <number>", "epoch of the stated amount (default: what the API states)")
    .option("--cumulative <units>", "stated amount, token units (default: what the API states)")
    .action(lazy(async () => (await import("../audit/verifyEpoch.ts")).verifyReward));
}

function addVerifyOfProofs(verify: Command): void {
  verify
    .command("wave")
    .description("recompute a wave of the proof of hardware from an RPC endpoint and transcripts")
    .argument("<number>", "number of the wave")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--evidence <folder>", "answers with transcripts, a JSON file for each device")
    .action(lazy(async () => (await import("../audit/verifyWave.ts")).verifyWave));
  verify
    .command("measurement")
    .description("recompute what a device proved in a wave from an RPC endpoint and its transcript")
    .argument("<id>", "wave, node and device, as in 12/7/0")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--evidence <file>", "the device's answer with its transcript, as JSON")
    .action(lazy(async () => (await import("../audit/verifyWave.ts")).verifyMeasurement));
}
