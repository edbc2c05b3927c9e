import { InputError } from "@ngpu/runtime/errors";
import { parseSeconds } from "../shared/units.ts";

/** How replicas follow the requests in progress, as options of commands. */
export type ScalingOptions = { target?: string; idle?: string; wait?: string; stopAt?: string };

export type ScalingRange = {
  min: number;
  max: number;
  target?: number;
  idleSeconds?: number;
  waitSeconds?: number;
  stopAt?: string;
};

/**
 * The replicas of a workspace, as the API takes them: a number as 3, or a range as 0..4.
 *
 * @throws InputError `option_invalid`, also for options of a range beside a number.
 */
export function replicasOf(
  text: string,
  { target, idle, wait, stopAt }: ScalingOptions,
): number | ScalingRange {
  const [, min, max] = /^(\d{1,4})\.\.(\d{1,4})$/.exec(text) ?? [];
  const more = {
    ...(target === undefined ? {} : { target: Number(target) }),
    ...(idle === undefined ? {} : { idleSeconds: parseSeconds(idle) }),
    ...(wait === undefined ? {} : { waitSeconds: parseSeconds(wait) }),
    ...(stopAt === undefined ? {} : { stopAt }),
  };
  if (min !== undefined && max !== undefined) return { min: Number(min), max: Number(max), ...more };
  if (/^\d{1,4}$/.test(text) && Number(text) > 0 && Object.keys(more).length === 0) return Number(text);
  throw new InputError(`The number of replicas is ${text}.`, {
    code: "option_invalid",
    hint: "Pass a number as 3, or a range as 0..4. --target, --idle, --wait and --stop-at belong to a range.",
  });
}

/** The range, with what the command leaves out as the workspace has it; stopAt too. @param present Null: its number is fixed. */
export function mergeRange(range: ScalingRange, present: ScalingRange | null): ScalingRange {
  if (present === null) return range;
  const { target, idleSeconds, waitSeconds, stopAt } = present;
  const kept = { target, idleSeconds, waitSeconds, stopAt };
  const known = Object.entries(kept).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(known), ...range };
}
