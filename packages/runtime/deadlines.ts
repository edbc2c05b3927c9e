import type { z } from "zod";
import { envTypes } from "./env.ts";

type Seconds = z.ZodDefault<ReturnType<typeof envTypes.seconds>>;
type Variables<Name extends string> = { [Part in Name as `DEADLINE_${Uppercase<Part>}_SECONDS`]: Seconds };
type Settings<Name extends string> = { [Part in Name as `DEADLINE_${Uppercase<Part>}_SECONDS`]: number };

const variableOf = (name: string) => `DEADLINE_${name.toUpperCase()}_SECONDS`;

/**
 * Schemas of the variables `DEADLINE_<NAME>_SECONDS`, one for each part of a service's work.
 *
 * @param parts Default in seconds and description of each part.
 */
export function deadlineVariables<Name extends string>(
  parts: Record<Name, readonly [seconds: number, meaning: string]>,
): Variables<Name> {
  const named = Object.entries<readonly [number, string]>(parts).map(([name, [seconds, meaning]]) => [
    variableOf(name),
    envTypes.seconds().default(seconds).describe(meaning),
  ]);
  return Object.fromEntries(named) as Variables<Name>;
}

/** The deadline of each part in seconds, as set in the environment. */
export function deadlinesOf<Name extends string>(
  parts: Record<Name, readonly [seconds: number, meaning: string]>,
  settings: Settings<Name>,
): Record<Name, number> {
  const given: Record<string, number> = settings;
  const named = Object.keys(parts).map((name) => [name, given[variableOf(name)]]);
  return Object.fromEntries(named) as Record<Name, number>;
}
