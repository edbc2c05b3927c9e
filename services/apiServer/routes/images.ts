import { generationOf } from "@ngpu/contracts-sdk/generations";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, Reply } from "../endpoint.ts";
import { verifiedSize } from "../imageFacts.ts";
import { nextAfter } from "../paging.ts";
import { imageAnswer, imageList, newImage } from "../schemas/images.ts";
import { isRegistered, listImages, putImage } from "../store/images.ts";

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
        "Registers the digest, once for all accounts; returns 200 if it is registered already. Size and reference are stored for your account alone. The size is that of the manifest where the registry serves it to this API.",
      access: "partner",
      body: newImage,
      status: 201,
      otherStatuses: { 200: "The image is registered already" },
      answer: imageAnswer,
    },
    async ({ body, partner }) => {
      const measured = await verifiedSize(body, deps.privateAddresses);
      const image = { ...body, sizeBytes: measured ?? body.sizeBytes };
      const verified = measured !== undefined;
      await putImage(deps.db, partner.wallet, { ...image, verified });
      const { digest, reference } = body;
      const answer = { digest, reference, sizeBytes: String(image.sizeBytes), verified };
      const alreadyRegistered = new Reply(200, { ...answer, txHash: null });
      if (await isRegistered(deps.db, digest, generation)) return alreadyRegistered;
      try {
        const { hash } = await deps.writer.write({
          kind: "api.registerImage",
          contract: "DockerContract",
          functionName: "registerImage",
          args: [digest, image.sizeBytes, body.chunkRoot, reference],
          dedupeKey: `image:${deps.deployment.contracts.DockerContract}:${digest}`,
        });
        return { ...answer, txHash: hash };
      } catch (error) {
        // Another account registered it in the meantime.
        const taken = error instanceof InputError && error.details.error === "ImageTaken";
        if (taken) return alreadyRegistered;
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
    async ({ query, partner }) => {
      const of = { wallet: partner.wallet, generation };
      const rows = await listImages(deps.db, of, query.limit, query.after ?? "");
      return {
        images: rows.map((row) => ({
          digest: row.digest,
          owner: row.owner,
          sizeBytes: String(row.size_bytes),
          chunkRoot: row.chunk_root,
          reference: row.reference,
          verified: row.verified,
          tier: row.tier,
        })),
        next: nextAfter(rows, query.limit, (row) => row.digest),
      };
    },
  );
};
