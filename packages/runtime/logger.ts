import { pino } from "pino";

export type Logger = {
  debug(fields: LogFields): void;
  info(fields: LogFields): void;
  warn(fields: LogFields): void;
  error(fields: LogFields): void;
};

/** `event` is a stable snake_case name; ids, `duration` (ms) and `error` stand beside it. */
export type LogFields = { event: string; error?: unknown; duration?: number } & Record<string, unknown>;

const secretPaths = ["apiKey", "key", "secret", "token", "password", "privateKey", "authorization"];

/** JSON lines on stdout; bigints are written as decimal strings, fields that hold secrets are removed. */
export function createLogger(service: string, level: string): Logger {
  const logger = pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secretPaths, remove: true },
    formatters: { level: (label) => ({ level: label }), log: decimalBigints },
    serializers: { error: pino.stdSerializers.err },
  });
  return {
    debug: (fields) => logger.debug(fields),
    info: (fields) => logger.info(fields),
    warn: (fields) => logger.warn(fields),
    error: (fields) => logger.error(fields),
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
