import { type Logger as Pino, pino } from "pino";

export type Logger = {
  debug(fields: LogFields): void;
  info(fields: LogFields): void;
  warn(fields: LogFields): void;
  error(fields: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: Record<string, unknown>): Logger;
};

/** `event` is a stable snake_case name. Other fields are ids, `duration` (ms) and `error`. */
export type LogFields = { event: string; error?: unknown; duration?: number } & Record<string, unknown>;

const secretPaths = ["apiKey", "key", "secret", "token", "password", "privateKey", "authorization"];

/**
 * A logger that writes JSON lines. Bigints are written as decimal strings; fields that hold secrets are removed.
 *
 * @param destination Default: stdout.
 */
export function createLogger(
  service: string,
  level: string,
  destination?: { write: (line: string) => void },
): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secretPaths, remove: true },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: decimalBigints,
    },
    serializers: { error: pino.stdSerializers.err },
  };
  return wrap(destination === undefined ? pino(options) : pino(options, destination));
}

function wrap(logger: Pino): Logger {
  return {
    debug: (fields) => logger.debug(fields),
    info: (fields) => logger.info(fields),
    warn: (fields) => logger.warn(fields),
    error: (fields) => logger.error(fields),
    child: (fields) => wrap(logger.child(decimalBigints(fields))),
  };
}

function decimalBigints(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "bigint" ? value.toString() : value,
    ]),
  );
}
