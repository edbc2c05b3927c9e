import { strategyTexts } from "@ngpu/protocol/placement/strategies";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { databaseDefault } from "./options.ts";
import { addVerify, addWatch } from "./verify.ts";

/** Shows the market, and verifies its decisions. */
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
  addWatch(program);
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
