import { z } from "zod";

/** What the updater reads. */
export const updateTask = z.object({
  /** Directory of the updates. */
  dir: z.string(),
  /** URL of the client's releases, with a slash at its end. */
  releases: z.url(),
  /** File of the root metadata that was installed with the client. */
  root: z.string(),
  /** Version that runs. */
  installed: z.string(),
  platform: z.string(),
  address: z.string(),
  region: z.string().optional(),
});

export type UpdateTask = z.infer<typeof updateTask>;

/** What an update came to. `staged`: the launcher starts the release when the client ends. */
export const updateOutcome = z.object({
  state: z.enum(["staged", "none"]),
  release: z.string().optional(),
  /** Why nothing is installed. */
  because: z.string().optional(),
  /** Whether the signed configuration is another than before. */
  configChanged: z.boolean(),
});

export type UpdateOutcome = z.infer<typeof updateOutcome>;
