import { policies } from "@ngpu/contracts-sdk/enumNames";
import { leastResources } from "@ngpu/protocol/leastResources";
import { scaling } from "@ngpu/protocol/scaling";
import { secretLimits, secretName, secretsFolder, secretTiers, secretVariable } from "@ngpu/protocol/secrets";
import { newHealthPath, workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { z } from "zod";
import { text, uint } from "./common.ts";

const integer = (max: number, min = 0) => z.number().int().min(min).max(max);
const decimal = (min: number, max: number, step: number) =>
  z
    .number()
    .min(min)
    .max(max)
    .refine((n) => Math.abs(n / step - Math.round(n / step)) < 1e-6, `is not a multiple of ${step}`);

export const gpuRequirement = z.strictObject({
  model: text(1, 120).optional().meta({
    description:
      "The GPU's name, as its driver prints it (`NVIDIA H100 80GB HBM3`) or in short (`RTX 4090`, `H100 SXM`), or the model's 8 bytes as hex; default: any",
  }),
  count: integer(255).default(1),
  minVramGib: z.number().min(0).max(16_000).default(0).meta({
    description: "Minimum memory of one GPU by the size it is sold with, GB: 24 accepts each 24 GB card",
  }),
  minVramMib: integer(2 ** 24 - 1)
    .default(0)
    .meta({ description: "Minimum memory of one GPU exactly as its driver reports it, MiB" }),
  minComputeCapability: z
    .string()
    .regex(/^\d{1,2}\.\d$/, "is not a version such as 9.0")
    .refine((text) => Math.round(Number(text) * 10) <= 255, "is above 25.5")
    .optional()
    .meta({ description: "CUDA compute capability", example: "9.0" }),
});

/** Docker's grammar of a reference: a host with its port, parts between slashes, and a tag. */
const hostPart = /[a-z0-9](?:[a-z0-9-]*[a-z0-9])?/.source;
const namePart = /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/.source;
const imageReference = new RegExp(
  `^(?=.{1,255}@)(?:${hostPart}(?:\\.${hostPart})*(?::\\d{1,5})?/)?${namePart}(?:/${namePart})*(?::[\\w][\\w.-]{0,127})?@sha256:[0-9a-f]{64}$`,
);

const secretNames = (name: z.ZodString, description: string) =>
  z
    .array(name)
    .max(secretLimits.perWorkspace)
    .refine((names) => new Set(names).size === names.length, "names a secret twice")
    .default([])
    .meta({ description });

/** The secrets of the wallet that a workspace's containers get. Their names are on the chain. */
const namedSecrets = z
  .strictObject({
    env: secretNames(secretVariable, "Secrets that are variables of the environment with the same names"),
    files: secretNames(secretName, `Secrets that are files in ${secretsFolder} with the same names`),
    after: z.enum(secretTiers).optional().meta({
      description: "How final the assignment of a lease is before its node gets them; default: unsafe",
    }),
  })
  .refine(({ env, files }) => env.length + files.length > 0, "names no secret")
  .meta({ id: "NamedSecrets" });

/** A number, or a range in which it follows the requests in progress. */
const replicaCount = z.union([integer(1_000, 1), scaling]).meta({
  description:
    "How many replicas run; with a range, as many as the requests in progress need. It begins with one replica, or with `min`",
});

export const newWorkspace = z
  .strictObject({
    authorizationId: z
      .string()
      .regex(/^\d{1,20}$/, { error: "is not an authorization id", abort: true })
      .refine((text) => BigInt(text) < 2n ** 64n, "does not fit in 64 bits")
      .optional()
      .meta({
        description: "Authorization that pays; default: the newest usable one that covers the image",
      }),
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "is not 1 to 63 of a–z 0–9 . _ -")
      // As a model, such a name stands for the workspace with this id.
      .refine((name) => !/^(ws-)?\d{1,20}$/.test(name), "reads as the id of a workspace")
      .optional(),
    image: z
      .string()
      .regex(imageReference, "is not a reference with a digest: name@sha256:…")
      .refine((text) => !/@sha256:0+$/.test(text), "has no digest but zeros")
      .meta({
        example:
          "docker.io/library/nginx@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      }),
    command: workspaceConfig.shape.command.refine(
      (command) => command?.[0] !== "",
      "begins with an empty text, which is no program",
    ),
    env: workspaceConfig.shape.env.meta({
      description: "Public, because it is stored on the chain. Do not put secrets here",
    }),
    secrets: namedSecrets.optional().meta({
      description:
        "Your secrets that its containers get (POST /v1/secrets); only their names are stored on the chain",
    }),
    ports: workspaceConfig.shape.ports.meta({
      description: "Ports the container listens on; the first one serves tasks",
    }),
    health: newHealthPath.default("/healthz"),
    placement: workspaceConfig.shape.placement.meta({ description: "Placement preferences beyond the spec" }),
    maxDown: workspaceConfig.shape.maxDown.meta({
      description: "Maximum number of replicas that are down at the same time during an update; default: 1",
    }),
    replicas: replicaCount.default(1),
    policy: z.enum(policies).default("available").meta({
      description:
        "available: failover within seconds, two copies may overlap; exclusive: never two at the same time",
    }),
    graceSeconds: integer(86_400).default(60).meta({
      description: "Seconds without contact to the chain after which a node must stop the container",
    }),
    maxPricePerSecond: uint(64, "Maximum price of one replica, token units (1e-18) per second"),
    gpu: gpuRequirement.optional().meta({ description: "Default: no GPU" }),
    cpu: decimal(leastResources.cpuMilli / 1000, 16_000, 0.001).meta({
      description: "Cores of one replica",
      example: 0.5,
    }),
    memoryMib: integer(2 ** 24 - 1, leastResources.memoryMib),
    diskGib: integer(65_535),
    region: z
      .string()
      .regex(/^[A-Z]{2}$/, "is not two uppercase letters")
      .optional()
      .meta({ description: "ISO 3166-1 alpha-2; default: any" }),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "Time at which it closes automatically; default: never" }),
    waitForNodes: z
      .boolean()
      .default(false)
      .meta({ description: "Publish it even if no node can currently run it" }),
  })
  .meta({ id: "NewWorkspace" });

export type NewWorkspace = z.output<typeof newWorkspace>;

const fields = newWorkspace.shape;

/** The fields of a workspace that can change; omitted fields keep their values. */
export const workspaceUpdate = z
  .strictObject({
    image: fields.image.optional(),
    command: fields.command,
    env: fields.env.unwrap().optional(),
    secrets: namedSecrets.nullable().optional().meta({ description: "Null: none any more" }),
    renewSecrets: z.literal(true).optional().meta({
      description: "Replaces the replicas, so that they get the present values of their secrets",
    }),
    health: newHealthPath.optional(),
    maxDown: workspaceConfig.shape.maxDown.meta({
      description: "Maximum number of replicas that are down at the same time during the update; default: 1",
    }),
    maxPricePerSecond: fields.maxPricePerSecond.optional(),
    replicas: replicaCount.optional().meta({
      description: "A number, which ends scaling, or a range in which it follows the requests in progress",
    }),
  })
  .refine((update) => Object.keys(update).length > 0, "must change at least one field")
  .meta({ id: "WorkspaceUpdate" });

export type WorkspaceUpdate = z.output<typeof workspaceUpdate>;
