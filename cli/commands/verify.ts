import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { type Command, Option } from "commander";
import { lazy } from "../shared/lazy.ts";
import { databaseDefault, deploymentOption, rpcOption } from "./options.ts";

const databaseText = "Postgres that autoExport exports the chain to";

/** Recomputes what the chain has. */
export function addVerify(program: Command): void {
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

/** Recomputes what the chain has as it appears. */
export function addWatch(program: Command): void {
  program
    .command("watch")
    .description("follow the chain, recompute every record that appears, and report each that differs")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .option("--from-epoch <number>", "compare the records from the beginning of this epoch on")
    .option(
      "--no-receipts",
      "do not prove logs by the receipts of their blocks, where the endpoint lacks them",
    )
    .option("--interval <seconds>", "pause between two polls", wholeNumber(1), 10)
    .option("--exit", "end with exit code 2 at the first difference", false)
    .option("--webhook <url>", "send each difference there, until it is taken")
    .addOption(
      new Option("--webhook-secret <secret>", "sign what is sent, by Standard Webhooks").env(
        "NGPU_WEBHOOK_SECRET",
      ),
    )
    .option("--metrics <host:port>", "serve Prometheus metrics at /metrics")
    .option("--attest-with <file>", "file with a watcher's private key: attests each epoch that is right")
    .option(
      "--guardian-with <file>",
      "file with the guardian's private key: disables epochs and uptime roots that differ, before they are active",
    )
    .action(lazy(async () => (await import("../watch/watch.ts")).watchMarket));
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
