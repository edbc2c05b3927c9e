import { z } from "zod";
import { placementPreferences } from "./placement/preferences.ts";
import { scaling } from "./scaling.ts";
import { workspaceSecrets } from "./secrets.ts";

/** Whether an environment, a command line and Postgres can carry a text: well-formed Unicode without NUL. */
export const isStorable = (text: string) => !text.includes("\0") && text.isWellFormed();
export const notStorable = "contains NUL or a lone surrogate";

/** Path that responds with 2xx when a container is ready. */
const healthPath = z.string().regex(/^\/[^\s]*$/);

/** The path as a request may name it. The chain may have any: other bytes are requested encoded. */
export const newHealthPath = healthPath.max(1_024).refine(isStorable, notStorable);

/**
 * The configuration document that is published with a workspace's spec (DockerContract.publish, `config`): how to run
 * the image. It is public, because it is on the chain. It must not contain secrets.
 */
export const workspaceConfig = z.strictObject({
  /** Image reference without digest, `host:port/name`. The digest is part of the spec. */
  image: z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,254}(?::\w[\w.-]{0,127})?$/, "is not an image reference"),
  /** Command and arguments. Default: those of the image. */
  command: z.array(z.string().max(4096).refine(isStorable, notStorable)).max(64).optional(),
  /** Public environment variables. */
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
      z.string().max(4096).refine(isStorable, notStorable),
    )
    .default({}),
  /** Ports that the container listens on. The first one serves tasks. */
  ports: z
    .array(z.number().int().min(1).max(65535))
    .min(1)
    .max(16)
    .refine((ports) => new Set(ports).size === ports.length, "names a port twice"),
  /** Path that responds with 2xx when the container is ready for tasks. */
  health: healthPath.default("/healthz"),
  /** Maximum number of replicas that an update or a node's maintenance takes down at the same time. Default 1. */
  maxDown: z.number().int().min(1).max(1000).optional(),
  /** Placement preferences. Default: none. */
  placement: placementPreferences.optional(),
  /** Names of the owner's secrets that each container gets. Default: none. */
  secrets: workspaceSecrets.optional(),
  /** How the number of replicas follows the requests in progress. Default: it is fixed. */
  scaling: scaling.optional(),
});

export type WorkspaceConfig = z.output<typeof workspaceConfig>;
