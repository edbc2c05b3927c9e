import { Command } from "commander";
import { start } from "../../services/shared/lifecycle.ts";
import { verifyPlacement } from "./verifyPlacement.ts";

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

await start(async () => {
  await program.parseAsync();
});
