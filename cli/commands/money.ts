import type { Command } from "commander";
import { lazy } from "../shared/lazy.ts";
import { rpcOption, walletOption } from "./options.ts";

const walletText = "file with the wallet's private key (default: that of ngpu login)";

/** Balance, payments and rewards. */
export function addMoneyCommands(program: Command): void {
  program
    .command("balance")
    .description("show deposit, debt, what can be withdrawn, and the authorizations")
    .action(lazy(async () => (await import("../account/balance.ts")).showBalance));
  program
    .command("usage")
    .description("show what each workspace has cost, or the tasks of a period")
    .option("--since <duration>", "period, such as 7d or 12h", "30d")
    .option("--by <group>", "tasks by hour, day, workspace or key, instead of what workspaces cost")
    .action(lazy(async () => (await import("../account/usage.ts")).showUsage));
  program
    .command("invoices")
    .description("list the months with an invoice, or show one by workspace")
    .argument("[month]", "as 2026-11")
    .option("--csv", "the lines of the month as CSV", false)
    .option("--pdf <file>", "write the month as PDF into a file")
    .option("--dollars <rate>", "also state the total in dollars at this rate: dollars of one NGPU")
    .action(lazy(async () => (await import("../account/invoices.ts")).showInvoices));
  program
    .command("statement")
    .description("list every change of a wallet's money, newest first, with the sum of each book")
    .option("--wallet <address>", "wallet (default: that of the API key)")
    .option("--since <duration>", "period, such as 7d or 12h (default: all)")
    .option("--csv", "print CSV", false)
    .action(lazy(async () => (await import("../account/statement.ts")).showStatement));
  program
    .command("deposit")
    .description("deposit tokens with a signed permit; needs no ETH")
    .argument("<amount>", "NGPU")
    .addOption(walletOption(walletText))
    .option("--authorize", "also authorize the API to spend it, with the defaults of ngpu authorize", false)
    .action(lazy(async () => (await import("../account/deposit.ts")).depositTokens));
  program
    .command("authorize")
    .description("authorize the API to publish workspaces that the deposit pays for")
    .addOption(walletOption(walletText))
    .option("--total <amount>", "maximum NGPU to spend (default: 500)")
    .option("--max-rate <price>", "maximum rate of all workspaces, as 3.6/h (default: 3.6/h)")
    .option(
      "--daily <amount>",
      "NGPU that its workspaces may cost a day at most (default: a day at the maximum rate)",
    )
    .option("--expires <duration>", "how long it is valid", "30d")
    .action(lazy(async () => (await import("../account/deposit.ts")).authorizeApi));
  program
    .command("withdraw")
    .description("withdraw tokens from the deposit to the wallet; the wallet pays gas")
    .argument("<amount>", "NGPU, or all")
    .addOption(walletOption(walletText))
    .option("--to <address>", "recipient (default: the wallet)")
    .addOption(rpcOption())
    .action(lazy(async () => (await import("../account/withdraw.ts")).withdraw));
  program
    .command("claim")
    .description("claim rewards of an account; any wallet may, and it pays gas")
    .argument("[account]", "address of the account (default: the wallet)")
    .addOption(walletOption(walletText))
    .addOption(rpcOption())
    .action(lazy(async () => (await import("../account/claim.ts")).claim));
  program
    .command("faucet")
    .description("send test tokens to a wallet, on a market of `npm start`")
    .argument("<wallet>", "address of the wallet")
    .action(lazy(async () => (await import("../market/faucet.ts")).requestTokens));
}
