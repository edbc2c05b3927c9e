import { version } from "@ngpu/runtime/version";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Stage } from "./stage.ts";

export type Options = {
  files: string[];
  quick: boolean;
  only?: string;
  grep?: string;
  deep: boolean;
  slowest: number;
};

/** Reads the command line of `npm test --`. Exits after --help and on invalid options. */
export function readOptions(argv: readonly string[], stages: readonly Stage[]): Options {
  const names = [...new Set(stages.flatMap(({ group, name }) => [group, name]))];
  const command = new Command("npm test --")
    .description("Checks the code and runs the tests.")
    .version(version)
    .argument(
      "[files...]",
      "run only these test files, folders or globs, each in its stage with the parts it needs",
    )
    .option("--quick", "skip the Docker tests, the end-to-end journey and files named *.slow.test.ts", false)
    .addOption(new Option("--only <stage>", "run one stage, or all checks").choices(names))
    .option("--grep <text>", "run only the tests whose title matches this regular expression")
    .option("--deep", "try more histories for each property, most often ten times as many", false)
    .option("--slowest <count>", "number of slowest files to list at the end", wholeNumber, 10)
    .addHelpText("after", HELP)
    .parse([...argv], { from: "user" });
  const options = command.opts<Omit<Options, "files">>();
  if (command.args.length > 0 && (options.only !== undefined || options.quick)) {
    command.error("error: files cannot be combined with --only or --quick");
  }
  return { ...options, files: command.args };
}

const HELP = `
Stages run in two rows, one beside the other: check, unit and services; and compiling, contracts, solidity, docker
and e2e. A test is in "unit" when neither it nor a file of test/ or scripts/ that it imports starts a process.

Examples:
  npm test -- test/packages/chain-reader/followChain.test.ts
  npm test -- test/contracts/Escrow.test.ts --grep refund
  npm test -- test/services/match
  npm test -- 'test/services/*/decide.test.ts'
  npm test -- --only docker`;

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
