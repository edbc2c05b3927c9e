import { Command, InvalidArgumentError } from "commander";

export type StartOptions = {
  /** Run the journey, stop everything, exit. */
  once: boolean;
  /** Last line on stdout is one JSON object; the steps go to stderr. */
  json: boolean;
  stateDir: string;
  host: string;
  apiPort: number | undefined;
  chainPort: number | undefined;
  postgresPort: number | undefined;
  redisPort: number | undefined;
  matchPort: number | undefined;
  gatewayPort: number | undefined;
  registryPort: number | undefined;
};

/** Reads the command line of `npm start --`; a wrong option ends the process with one message and exit code 1. */
export function readOptions(argv: string[], rootDir: string): StartOptions {
  const command = new Command("npm start --")
    .description(
      "Runs the whole market on this machine: chain, Postgres, Redis, services, a node, a partner, a claim.",
    )
    .option("--once", "run the journey once, stop everything and exit", false)
    .option("--json", "print one JSON object as the last line on stdout", false)
    .option("--state-dir <folder>", "where state, logs and keys live", `${rootDir}/.ngpu`)
    .option("--host <address>", "address the API listens on", "127.0.0.1")
    .option("--api-port <port>", "port of the API; default 8080, or a free one when that is taken", port)
    .option("--chain-port <port>", "port of the embedded chain; default any free one", port)
    .option("--postgres-port <port>", "port of the embedded Postgres; default any free one", port)
    .option("--redis-port <port>", "port of the embedded Redis; default any free one", port)
    .option("--match-port <port>", "port nodes hold their sessions on; default any free one", port)
    .option("--gateway-port <port>", "port nodes open their tunnels on; default any free one", port)
    .option("--registry-port <port>", "port images are pulled from; default any free one", port)
    .allowExcessArguments(false)
    .showHelpAfterError("Run `npm start -- --help` for all options.");
  return command.parse(argv, { from: "user" }).opts<StartOptions>();
}

function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 65535) {
    throw new InvalidArgumentError("A port is a whole number from 1 to 65535.");
  }
  return number;
}
