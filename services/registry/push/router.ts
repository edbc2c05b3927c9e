import { isDigest } from "@ngpu/image-store/digest";
import { readWithin } from "@ngpu/runtime/readWithin";
import { type ErrorRequestHandler, type NextFunction, type Request, type Response, Router } from "express";
import { nameOf, namePattern, refuse, sendBlob } from "../answers.ts";
import { callerOf, challenge, serveToken, serveVersion } from "./access.ts";
import type { PushDeps } from "./deps.ts";
import { manifestTypes, mostManifestBytes, putManifest } from "./manifests.ts";
import { PushRefusal } from "./refusal.ts";
import {
  deleteReference,
  findManifest,
  hasBlob,
  listTags,
  type Repository,
  touchBlob,
} from "./store/images.ts";
import { createUploads, type Upload, type Uploads } from "./uploads.ts";

/** @deadline A client whose request was refused to send the rest of it. The connection is closed. */
const drainSilence = 5_000;

type Pushing = PushDeps & { uploads: Uploads };
type Handler = (deps: Pushing, of: Repository, request: Request, response: Response) => Promise<void>;

/**
 * The repositories of accounts, `<address>/<name>`: accounts push to their own, and anybody reads by digest. Requests for other
 * repositories are passed on.
 */
export function pushRouter(given: PushDeps): Router {
  const deps: Pushing = { ...given, uploads: createUploads(given) };
  const router = Router({ caseSensitive: true });
  router.get("/v2/token", (request, response) => serveToken(deps, request, response));
  router.get("/v2", (request, response) => serveVersion(deps, request, response));
  const owned = (handler: Handler) => handle(deps, handler, true);
  const read = (handler: Handler) => handle(deps, handler, false);
  router.post("/v2/*name/blobs/uploads", owned(beginUpload));
  router
    .route("/v2/*name/blobs/uploads/:id")
    .get(owned(showUpload))
    .patch(owned(appendToUpload))
    .put(owned(finishUpload))
    .delete(owned(cancelUpload));
  router.get("/v2/*name/blobs/:digest", read(readBlob));
  router.get("/v2/*name/tags/list", owned(readTags));
  router
    .route("/v2/*name/manifests/:reference")
    .get(read(readManifest))
    .put(owned(writeManifest))
    .delete(owned(removeManifest));
  router.use("/v2", onRefusal);
  return router;
}

/** @param ownerOnly Whether only the account itself may do it. */
function handle(deps: Pushing, handler: Handler, ownerOnly: boolean) {
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const name = nameOf(request);
    const [account = "", ...rest] = name.split("/");
    const isOwned = /^0x[0-9a-f]{40}$/.test(account) && rest.length > 0;
    if (!isOwned || name.length > 255 || !namePattern.test(name)) return next();
    response.set("Docker-Distribution-Api-Version", "registry/2.0");
    if (ownerOnly) {
      const caller = await callerOf(deps, request);
      if (caller.type !== "account") return challenge(deps, request, response);
      if (caller.account !== account) throw foreign(caller.account);
    }
    await handler(deps, { account, repository: rest.join("/") }, request, response);
  };
}

const foreign = (account: string) =>
  new PushRefusal(403, {
    code: "DENIED",
    message: "the repository belongs to another account",
    hint: `push to ${account}/<name>`,
  });

const beginUpload: Handler = async (deps, of, request, response) => {
  const { mount, digest } = request.query;
  // All repositories of an account share its blobs.
  if (isDigest(mount) && (await touchBlob(deps.db, of.account, mount))) {
    return created(response, `/v2/${of.account}/${of.repository}/blobs/${mount}`, mount);
  }
  const upload = { ...of, id: await deps.uploads.begin(of) };
  if (digest === undefined) return accepted(response, upload, 0);
  await deps.uploads.finish(upload, request, digestIn(digest));
  created(response, `/v2/${of.account}/${of.repository}/blobs/${digest}`, String(digest));
};

const uploadOf = (of: Repository, request: Request): Upload => {
  const id = String(request.params.id);
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return { ...of, id };
  throw new PushRefusal(404, {
    code: "BLOB_UPLOAD_UNKNOWN",
    message: "there is no such upload",
    hint: "start another with POST /v2/<name>/blobs/uploads/",
  });
};

const showUpload: Handler = async ({ uploads }, of, request, response) => {
  const upload = uploadOf(of, request);
  accepted(response, upload, await uploads.size(upload), 204);
};

const appendToUpload: Handler = async ({ uploads }, of, request, response) => {
  const upload = uploadOf(of, request);
  accepted(response, upload, await uploads.append(upload, request));
};

const finishUpload: Handler = async ({ uploads }, of, request, response) => {
  const digest = digestIn(request.query.digest);
  await uploads.finish(uploadOf(of, request), request, digest);
  created(response, `/v2/${of.account}/${of.repository}/blobs/${digest}`, digest);
};

const cancelUpload: Handler = async ({ uploads }, of, request, response) => {
  await uploads.cancel(uploadOf(of, request));
  response.status(204).end();
};

const readBlob: Handler = async (deps, { account }, request, response) => {
  const digest = digestIn(request.params.digest);
  // Before a push leaves a blob out it asks for it; the collector then keeps it.
  const found = request.method === "HEAD" ? touchBlob : hasBlob;
  if (!(await found(deps.db, account, digest))) {
    const message = "the account has no blob of this digest";
    throw new PushRefusal(404, { code: "BLOB_UNKNOWN", message, hint: "push it, or check the digest" });
  }
  await sendBlob(deps, response, { digest, type: "application/octet-stream" });
};

const readManifest: Handler = async (deps, of, request, response) => {
  const reference = String(request.params.reference);
  if (!isDigest(reference)) {
    // Tags name what an account works on; a digest is known only to those who were told it.
    const caller = await callerOf(deps, request);
    if (caller.type !== "account") return challenge(deps, request, response);
    if (caller.account !== of.account) throw foreign(caller.account);
  }
  const found = await findManifest(deps.db, of, reference);
  if (found === undefined) throw unknownManifest(reference);
  await sendBlob(deps, response, { digest: found.digest, type: found.mediaType });
};

const writeManifest: Handler = async (deps, of, request, response) => {
  const [type = ""] = (request.headers["content-type"] ?? "").split(";");
  if (!manifestTypes.includes(type)) {
    const message = `manifests of type ${type || "unknown"} are not stored`;
    const hint = "push an image with docker push";
    throw new PushRefusal(400, { code: "MANIFEST_INVALID", message, hint });
  }
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const bytes = await readWithin(body, mostManifestBytes, (what) => {
    const hint = "push an image of fewer layers";
    return new PushRefusal(413, { code: "MANIFEST_INVALID", message: `the manifest has ${what}`, hint });
  });
  const reference = String(request.params.reference);
  const digest = await putManifest(deps, { ...of, reference }, { bytes, type });
  created(response, `/v2/${of.account}/${of.repository}/manifests/${digest}`, digest);
};

const removeManifest: Handler = async ({ db }, of, request, response) => {
  const reference = String(request.params.reference);
  if (!(await deleteReference(db, of, reference))) throw unknownManifest(reference);
  response.status(202).end();
};

const readTags: Handler = async ({ db }, of, _request, response) => {
  response.json({ name: `${of.account}/${of.repository}`, tags: await listTags(db, of) });
};

function digestIn(value: unknown) {
  if (isDigest(value)) return value;
  const message = "the digest must be sha256:<64 hex digits>";
  throw new PushRefusal(400, { code: "DIGEST_INVALID", message, hint: "name the digest of the blob" });
}

const unknownManifest = (reference: string) =>
  new PushRefusal(404, {
    code: "MANIFEST_UNKNOWN",
    message: `there is no manifest ${reference}`,
    hint: "check the name and the digest that docker push printed",
  });

function accepted(response: Response, { account, repository, id }: Upload, size: number, status = 202): void {
  response.set({
    Location: `/v2/${account}/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, size - 1)}`,
    "Docker-Upload-UUID": id,
  });
  response.status(status).end();
}

function created(response: Response, location: string, digest: string): void {
  response.set({ Location: location, "Docker-Content-Digest": digest }).status(201).end();
}

const onRefusal: ErrorRequestHandler = (error, request, response, next) => {
  if (request.destroyed && !request.complete) return response.destroy();
  if (!(error instanceof PushRefusal) || response.headersSent) return next(error);
  // A client that still sends would not read the answer of a closed connection.
  request.resume().setTimeout(drainSilence, () => request.destroy());
  refuse(response.set(error.headers), error.status, error);
};
