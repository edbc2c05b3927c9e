import { Command, Option } from "commander";
import { start } from "../../services/shared/lifecycle.ts";
import { verifyPlacement } from "./verifyPlacement.ts";
import { verifyReceipt } from "./verifyReceipt.ts";

/* `npm run cli -- <command>`: what operators, partners and auditors do from a terminal. */

const program = new Command("npm run cli --").description("ngpu from a terminal").showHelpAfterError();

const verify = program.command("verify").description("recomputes what the market decided");
verify
  .command("placement")
  .description("decides a placement again from what the chain says as of its block")
  .argument("<id>", "request id of the placement")
  .option("--database-url <url>", "Postgres that the chain is exported to; DATABASE_URL when left out")
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

await start(async () => {
  await program.parseAsync();
});
