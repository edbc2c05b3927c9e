import { z } from "zod";

const integer = (min: number, max: number) => z.number().int().min(min).max(max);

/** Replicas that follow the requests in progress. Part of a workspace's configuration; containers do not depend on it. */
export const scaling = z
  .strictObject({
    min: integer(0, 1_000).meta({ description: "Least number of replicas; 0: none while nothing is asked" }),
    max: integer(1, 1_000).meta({ description: "Most replicas" }),
    target: integer(1, 10_000)
      .default(1)
      .meta({ description: "Requests in progress for which there is one replica" }),
    idleSeconds: integer(10, 86_400).default(300).meta({
      description: "How long fewer replicas must have been enough before there are fewer",
    }),
    waitSeconds: integer(1, 3_600).default(300).meta({
      description: "How long a request waits for a replica when none can take it; then it has failed",
    }),
    stopAt: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "From this time on there are no replicas; default: never" }),
  })
  .refine(({ min, max }) => min <= max, { error: "is above max", path: ["min"] })
  .meta({ id: "Scaling" });

export type Scaling = z.output<typeof scaling>;

const inConfig = z.object({ scaling });

/** The scaling that a configuration has; undefined: none, or a configuration of another form. */
export function scalingIn(config: string): Scaling | undefined {
  // Most have none, and are not parsed.
  if (!config.includes('"scaling":')) return undefined;
  try {
    return inConfig.safeParse(JSON.parse(config)).data?.scaling;
  } catch {
    return undefined;
  }
}

/** Whether the time to stop has come. @param now Unix seconds. */
export const hasStopped = ({ stopAt }: Scaling, now: number) =>
  stopAt !== undefined && Date.parse(stopAt) / 1000 <= now;
