import { resolve } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { version } from "@ngpu/runtime/version";
import { Command, CommanderError, InvalidArgumentError } from "commander";

/** Options that choose a port. */
const portOptions = {
  apiPort: ["--api-port", "port of the API (default: 8080, or a free port if it is in use)"],
  chainPort: ["--chain-port", "port of the embedded chain (default: any free port)"],
  postgresPort: ["--postgres-port", "port of the embedded Postgres (default: any free port)"],
  redisPort: ["--redis-port", "port of the embedded Redis (default: any free port)"],
  matchPort: ["--match-port", "port for nodes' sessions with match (default: any free port)"],
  gatewayPort: ["--gateway-port", "port for nodes' tunnels to the gateway (default: any free port)"],
  registryPort: ["--registry-port", "port of the image registry (default: any free port)"],
} as const;

/** Options that choose a period. */
export const periodOptions = {
  slotSeconds: ["--slot-seconds", "seconds of a heartbeat slot; default 60, embedded 3"],
  epochSeconds: ["--epoch-seconds", "seconds of a reward epoch; default 3600, embedded 3"],
  activationDelay: ["--activation-seconds", "seconds before a root can be claimed; default 1800, embedded 1"],
  heartbeatWindowSeconds: [
    "--heartbeat-window-seconds",
    "seconds in which heartbeats can be committed and corrected, before their epoch is posted; default 3600, embedded 60",
  ],
  daySeconds: [
    "--day-seconds",
    "seconds of a day of uptime, a multiple of a slot; default 86400, embedded 120",
  ],
  uptimeDelay: ["--uptime-seconds", "seconds before a day's uptime counts; default 3600, embedded 2"],
  measureLeadSeconds: [
    "--measure-lead-seconds",
    "seconds before a measurement opens; default 30, embedded 2",
  ],
  measureWindowSeconds: [
    "--measure-window-seconds",
    "seconds of a measurement's window; default 300, embedded 30",
  ],
  measureTtlSeconds: [
    "--measure-ttl-seconds",
    "seconds for which a measurement is valid; default 86400, embedded 3600",
  ],
} as const;

export type PeriodName = keyof typeof periodOptions;

export type StartOptions = {
  /** Run the journey, stop everything, exit. */
  once: boolean;
  /** Last line on stdout is one JSON object; the steps go to stderr. */
  json: boolean;
  stateDir: string;
  host: string;
  /** The given periods; the others have defaults that depend on the chain. */
  periods: Partial<Record<PeriodName, number>>;
} & Record<keyof typeof portOptions, number | undefined>;

/**
 * Reads the command line of `npm start --`.
 *
 * @returns undefined when help was requested and printed.
 * @throws FatalError `option_invalid`, naming the invalid option.
 */
export function readOptions(argv: string[], rootDir: string): StartOptions | undefined {
  const command = describe(rootDir);
  try {
    command.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw invalid(error.message.replace(/^error: /, ""));
  }
  const { once, json, host, stateDir } = command.opts<StartOptions>();
  const ports = pick(command, portOptions);
  rejectSamePort(ports);
  const periods = Object.fromEntries(
    Object.entries(pick(command, periodOptions)).filter(([, chosen]) => chosen !== undefined),
  );
  // npm runs scripts in the checkout; a relative path is relative to the user's directory.
  return {
    once,
    json,
    host,
    periods,
    stateDir: resolve(process.env.INIT_CWD ?? process.cwd(), stateDir),
    ...ports,
  };
}

function describe(rootDir: string): Command {
  const command = new Command("npm start --")
    .description(
      "Runs the whole market on this machine: chain, Postgres, Redis, services, a node, a partner, a claim.",
    )
    .version(version)
    .option("--once", "run the journey once, stop everything and exit", false)
    .option("--json", "print one JSON object as the last line on stdout", false)
    .option("--state-dir <folder>", "directory of state, logs and keys", `${rootDir}/.ngpu`)
    .option("--host <address>", "address the API listens on", "127.0.0.1")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  for (const [option, meaning] of Object.values(portOptions))
    command.option(`${option} <port>`, meaning, port);
  for (const [option, meaning] of Object.values(periodOptions)) {
    command.option(`${option} <seconds>`, `${meaning} (fixed at deployment)`, seconds);
  }
  return command;
}

/** The values of a table's options, by their keys in the table. */
function pick<Name extends string>(
  command: Command,
  table: Record<Name, readonly [string, string]>,
): Record<Name, number | undefined> {
  const given = command.opts<Record<string, number | undefined>>();
  const camel = (flag: string) =>
    flag.slice(2).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  const values = Object.entries<readonly [string, string]>(table).map(([name, [flag]]) => [
    name,
    given[camel(flag)],
  ]);
  return Object.fromEntries(values) as Record<Name, number | undefined>;
}

function rejectSamePort(ports: Record<string, number | undefined>): void {
  const seen = new Map<number, string>();
  for (const [name, [option]] of Object.entries(portOptions)) {
    const value = ports[name];
    if (value === undefined) continue;
    const other = seen.get(value);
    if (other !== undefined) throw invalid(`${other} and ${option} are both ${value}.`);
    seen.set(value, option);
  }
}

function invalid(message: string): FatalError {
  return new FatalError(message, {
    code: "option_invalid",
    hint: "Run `npm start -- --help` for all options.",
  });
}

function port(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > 65535) {
    throw new InvalidArgumentError("A port must be a whole number from 1 to 65535.");
  }
  return number;
}

function seconds(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 2 || number > 31_536_000) {
    throw new InvalidArgumentError("A period must be a whole number of seconds, at least 2.");
  }
  return number;
}
