import { type Command, Option } from "commander";
import { lazy } from "../shared/lazy.ts";
import { timeoutOption } from "./options.ts";

const fileId: [string, string] = ["<id>", "id of the file, or sha256:<hex>"];
const batchId: [string, string] = ["<id>", "id of the batch"];

/** Files, and batches of requests. */
export function addFileCommands(program: Command): void {
  const files = program.command("files").description("files of the account, for batches and for yourself");
  files
    .command("ls", { isDefault: true })
    .alias("list")
    .description("list your files, newest first")
    .option("--limit <count>", "maximum number of files", "20")
    .action(lazy(async () => (await import("../files/files.ts")).listFiles));
  files
    .command("upload")
    .description("upload a file")
    .argument("<path>", "the file")
    .option("--purpose <purpose>", "what it is for", "user_data")
    .option("--keep <duration>", "how long it is kept", "30d")
    .action(lazy(async () => (await import("../files/files.ts")).uploadFile));
  files
    .command("download")
    .description("write a file's bytes to a file or to stdout")
    .argument(...fileId)
    .option("-o, --output <file>", "where it is written")
    .action(lazy(async () => (await import("../files/files.ts")).downloadFile));
  files
    .command("rm")
    .description("delete files")
    .argument("<id...>", "ids of the files")
    .action(lazy(async () => (await import("../files/files.ts")).deleteFiles));
  addBatchCommands(program);
}

function addBatchCommands(program: Command): void {
  const batches = program.command("batches").description("run the requests of files as tasks");
  batches
    .command("ls", { isDefault: true })
    .alias("list")
    .description("list your batches, newest first")
    .option("--limit <count>", "maximum number of batches", "20")
    .action(lazy(async () => (await import("../files/batches.ts")).listBatches));
  batches
    .command("create")
    .description("run the requests of a file")
    .argument("<file>", "a file of JSON lines, which is uploaded, or the id of one that is")
    .addOption(
      new Option("--endpoint <path>", "url of each line")
        .choices(["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"])
        .default("/v1/chat/completions"),
    )
    .option("--wait", "wait until it has ended", false)
    .addOption(timeoutOption("how long to wait", "24h"))
    .action(lazy(async () => (await import("../files/batches.ts")).createBatch));
  batches
    .command("show")
    .description("show a batch")
    .argument(...batchId)
    .option("--wait", "wait until it has ended", false)
    .addOption(timeoutOption("how long to wait", "24h"))
    .action(lazy(async () => (await import("../files/batches.ts")).showBatch));
  batches
    .command("cancel")
    .description("cancel a batch; the results that it has are kept")
    .argument(...batchId)
    .action(lazy(async () => (await import("../files/batches.ts")).cancelBatch));
}
