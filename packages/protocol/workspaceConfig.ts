import { z } from "zod";
import { placementPreferences } from "./placement/preferences.ts";

/**
 * The configuration document published beside a workspace's spec (DockerContract.publish, `config`): how to run the image.
 * Public, since it stands on the chain: secrets never go in here.
 */
export const workspaceConfig = z.strictObject({
  /** Image reference without digest, as a registry serves it: `host:port/name`. The digest stands in the spec. */
  image: z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,254}$/, "is not an image reference"),
  /** Command and arguments; the image's own when left out. */
  command: z.array(z.string().max(4096)).max(64).optional(),
  /** Public environment variables. */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4096)).default({}),
  /** Ports the container listens on; the first one serves tasks. */
  ports: z.array(z.number().int().min(1).max(65535)).min(1).max(16),
  /** Path that answers 2xx when the container is ready for tasks. */
  health: z
    .string()
    .regex(/^\/[^\s]*$/)
    .default("/healthz"),
  /** Replicas that may be down at once while an update or a node's maintenance replaces them; 1 when left out. */
  maxDown: z.number().int().min(1).max(1000).optional(),
  /** What it wishes of its nodes beyond the spec; nothing when left out. */
  placement: placementPreferences.optional(),
});

export type WorkspaceConfig = z.output<typeof workspaceConfig>;
