import { generationOf } from "@ngpu/contracts-sdk/generations";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, Reply } from "../endpoint.ts";
import { imageAnswer, imageList, newImage } from "../schemas/workspaces.ts";
import { findImage, listImages } from "../store/workspaces.ts";

const imagePage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/)
    .optional(),
});

export function imageRoutes(deps: ApiDeps): Endpoint[] {
  return [registerImage(deps), images(deps)];
}

const registerImage = (deps: ApiDeps) => {
  // Each DockerContract has its own registrations.
  const generation = generationOf(deps.deployment, "DockerContract");
  return endpoint(
    {
      method: "post",
      path: "/v1/images",
      writes: true,
      tag: "Workspaces",
      summary: "Register an image on the chain",
      description:
        "Required once per digest, by any account. Returns 200 if the image is already registered.",
      access: "partner",
      body: newImage,
      status: 201,
      answer: imageAnswer,
    },
    async ({ body }) => {
      const known = await findImage(deps.db, body.digest, generation);
      if (known !== undefined) return alreadyRegistered(known.digest, known.reference);
      try {
        const { hash } = await deps.writer.write({
          kind: "api.registerImage",
          contract: "DockerContract",
          functionName: "registerImage",
          args: [body.digest, body.sizeBytes, body.chunkRoot, body.reference],
          dedupeKey: `image:${deps.deployment.contracts.DockerContract}:${body.digest}`,
        });
        return { digest: body.digest, reference: body.reference, txHash: hash };
      } catch (error) {
        // Another account registered it in the meantime.
        const taken = error instanceof InputError && error.details.error === "ImageTaken";
        if (taken) return alreadyRegistered(body.digest, body.reference);
        throw error;
      }
    },
  );
};

const images = (deps: ApiDeps) => {
  const generation = generationOf(deps.deployment, "DockerContract");
  return endpoint(
    {
      method: "get",
      path: "/v1/images",
      tag: "Workspaces",
      summary: "List registered images",
      access: "partner",
      query: imagePage,
      answer: imageList,
    },
    async ({ query }) => {
      const rows = await listImages(deps.db, generation, query.limit, query.after ?? "");
      return {
        images: rows.map((row) => ({
          digest: row.digest,
          owner: row.owner,
          sizeBytes: String(row.size_bytes),
          chunkRoot: row.chunk_root,
          reference: row.reference,
          tier: row.tier,
        })),
        next: rows.length === query.limit ? (rows.at(-1)?.digest ?? null) : null,
      };
    },
  );
};

function alreadyRegistered(digest: string, reference: string) {
  return new Reply(200, { digest, reference, txHash: null });
}
