import { blobSize } from "@ngpu/image-store/blobs";
import { type Digest, isDigest } from "@ngpu/image-store/digest";
import { readIndex, type StoreIndex } from "@ngpu/image-store/index-file";
import { mediaTypes } from "@ngpu/image-store/manifest";
import type { Logger } from "@ngpu/runtime/logger";
import { type ErrorRequestHandler, type Request, type Response, Router } from "express";
import { nameOf, namePattern, type Refusal, refuse, sendBlob, tagPattern } from "./answers.ts";

type Deps = {
  /** Milliseconds that a puller may read nothing. Default 60,000. */
  silence?: number;
  /** The image store that `buildAll` writes. */
  storeDir: string;
  logger?: Pick<Logger, "debug" | "error">;
};

const nameHint = "use the repository that the image's workspace names";

type Kind = "manifest" | "blob";
type Located = { digest: Digest } | (Refusal & { status: 400 | 404 });

/**
 * A read-only OCI distribution server for the image store. Nodes pull the market's images with a plain
 * `docker pull host:port/ngpu/chat@sha256:…`, as from any registry. Mount it at `/`.
 */
export function registryRouter(deps: Deps): Router {
  const router = Router({ caseSensitive: true });
  router.use("/v2", (request, response, next) => {
    response.set("Docker-Distribution-Api-Version", "registry/2.0");
    if (request.method === "GET" || request.method === "HEAD") return next();
    response.set("Allow", "GET, HEAD");
    refuse(response, 405, {
      code: "UNSUPPORTED",
      message: "this repository is read-only",
      hint: "use GET or HEAD; push to <your wallet's address>/<name>",
    });
  });
  router.get("/v2", (_request, response) => void response.json({}));
  router.get("/v2/*name/manifests/:reference", (request, response, next) =>
    serve(deps, "manifest", request, response).catch(next),
  );
  router.get("/v2/*name/blobs/:reference", (request, response, next) =>
    serve(deps, "blob", request, response).catch(next),
  );
  router.use("/v2", (_request, response) =>
    refuse(response, 404, {
      code: "UNSUPPORTED",
      message: "no such endpoint",
      hint: "use /v2/<name>/manifests/<reference> or /v2/<name>/blobs/<digest>",
    }),
  );
  router.use("/v2", onError(deps));
  return router;
}

async function serve(deps: Deps, kind: Kind, request: Request, response: Response): Promise<void> {
  const index = await readIndex(deps.storeDir);
  const found = locate(index, kind, nameOf(request), String(request.params.reference));
  if ("code" in found) return refuse(response, found.status, found);
  if ((await blobSize(deps.storeDir, found.digest)) === undefined) {
    return refuse(response, 404, {
      code: kind === "blob" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN",
      message: "the image store does not have this digest",
      hint: "pull the image by the digest that its workspace names",
    });
  }
  return sendBlob(deps, response, {
    digest: found.digest,
    type: kind === "blob" ? "application/octet-stream" : mediaTypes.manifest,
  });
}

/** Resolves a request to a digest, or to an error. Only a digest becomes part of a file path. */
function locate(index: StoreIndex, kind: Kind, name: string, reference: string): Located {
  if (name.length > 255 || !namePattern.test(name)) {
    return { status: 400, code: "NAME_INVALID", message: "invalid repository name", hint: nameHint };
  }
  const repository = own(index.repositories, name);
  if (!repository)
    return { status: 404, code: "NAME_UNKNOWN", message: `there is no repository ${name}`, hint: nameHint };
  if (kind === "blob") {
    if (isDigest(reference)) return { digest: reference };
    return {
      status: 400,
      code: "DIGEST_INVALID",
      message: "the reference of a blob must be sha256:<64 hex digits>",
      hint: "use a digest from the image's manifest",
    };
  }
  if (!isDigest(reference) && !tagPattern.test(reference)) {
    return {
      status: 400,
      code: "DIGEST_INVALID",
      message: "the reference of a manifest must be a tag or a sha256 digest",
      hint: "use the digest that the image's workspace names",
    };
  }
  const digest = isDigest(reference) ? reference : own(repository.tags, reference);
  if (digest && repository.manifests.includes(digest)) return { digest };
  return {
    status: 404,
    code: "MANIFEST_UNKNOWN",
    message: `${name} has no manifest ${reference}`,
    hint: "use the digest that the image's workspace names",
  };
}

/** Reads an own property: `constructor` is a valid repository name and tag, and must not match an inherited one. */
function own<T>(record: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function onError({ logger }: Deps): ErrorRequestHandler {
  return (error: Error & { status?: number }, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error.status ?? 500;
    if (status === 416)
      return refuse(response, 416, {
        code: "RANGE_INVALID",
        message: "the range is outside the blob",
        hint: "request a range within the blob's size",
      });
    if (status < 500)
      return refuse(response, status, {
        code: "NAME_INVALID",
        message: "the path is not valid",
        hint: nameHint,
      });
    logger?.error({ event: "registry_failed", error });
    refuse(response, 500, {
      code: "UNKNOWN",
      message: "the image store cannot be read",
      hint: "try again, or see the log of the registry",
    });
  };
}
