import { mkdtemp, rm } from "node:fs/promises";
import { request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { putBytes } from "@ngpu/image-store/blobs";
import { type Digest, digestOf } from "@ngpu/image-store/digest";
import { tagManifests } from "@ngpu/image-store/index-file";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import express from "express";
import { readRegistryEnv } from "../../../services/registry/env.ts";
import { startRegistry } from "../../../services/registry/registry.ts";
import { registryRouter } from "../../../services/registry/router.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** A service context for tests; `stop` runs its stop handlers. */
function createContext() {
  const undos: (() => Promise<void> | void)[] = [];
  const context: ServiceContext = {
    logger: createLogger("registry", "silent"),
    signal: new AbortController().signal,
    onStop: (_name, undo) => undos.push(undo),
    fail: (error) => {
      throw error;
    },
    exit: () => undefined,
  };
  const stop = async () => {
    for (const undo of undos.reverse()) await undo();
  };
  return { context, stop };
}

describe("registry: the service", () => {
  it("serves the registry and its health", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ngpu-registry-"));
    const { context, stop } = createContext();
    const { url } = await startRegistry(readRegistryEnv({ IMAGE_STORE: folder }), context);
    const answer = await fetch(`${url}/v2/`);
    expect(answer.status).to.equal(200);
    expect(answer.headers.get("docker-distribution-api-version")).to.equal("registry/2.0");
    expect((await fetch(`${url}/healthz`)).status).to.equal(200);
    await rm(folder, { recursive: true });
    expect((await fetch(`${url}/healthz`)).status).to.equal(503);
    await stop();
  });

  it("names the directory it cannot read", async () => {
    const { context } = createContext();
    const refused = await startRegistry(readRegistryEnv({ IMAGE_STORE: "/nowhere/images" }), context).catch(
      (error: unknown) => error,
    );
    expect(refused).to.include({ code: "image_store_unreadable" });
    expect((refused as Error).message).to.include("/nowhere/images");
  });
});

describe("registry without a database", () => {
  it("is read-only without PUSH_STORE, and does not start with it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ngpu-registry-"));
    const { context, stop } = createContext();
    const store = { IMAGE_STORE: folder };
    const { url } = await startRegistry(readRegistryEnv(store), context);
    expect((await fetch(`${url}/v2/ngpu/chat/blobs/uploads/`, { method: "POST" })).status).to.equal(405);
    await stop();
    const refused = await startRegistry(readRegistryEnv({ ...store, PUSH_STORE: folder }), context).catch(
      (error: unknown) => error,
    );
    expect(refused).to.include({ code: "push_store_incomplete" });
    await rm(folder, { recursive: true });
  });
});

describe("registry", () => {
  let storeDir: string;
  let server: Server;
  let port: number;
  let manifest: Digest;
  let blob: Digest;
  const content = Buffer.from("0123456789".repeat(1000));

  before(async () => {
    storeDir = await mkdtemp(join(tmpdir(), "ngpu-registry-"));
    blob = (await putBytes(storeDir, content)).digest;
    manifest = (await putBytes(storeDir, Buffer.from('{"schemaVersion":2}'))).digest;
    await tagManifests(storeDir, [{ repository: "ngpu/chat", tag: "latest", digest: manifest }]);
    const app = express().use(registryRouter({ storeDir }));
    server = await new Promise((resolve) => {
      const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
    });
    port = (server.address() as AddressInfo).port;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(storeDir, { recursive: true });
  });

  /** Sends the path unchanged; fetch would normalize it. */
  function call(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
    return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>(
      (resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port, path, ...options }, async (response) => {
          const body = await buffer(response);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        });
        sent.on("error", reject).end();
      },
    );
  }
  const codeOf = (body: Buffer): string => JSON.parse(body.toString()).errors[0].code;

  it("reports API version 2", async () => {
    const { status, headers } = await call("/v2/");
    expect(status).to.equal(200);
    expect(headers["docker-distribution-api-version"]).to.equal("registry/2.0");
  });

  it("returns a manifest by tag and by digest, with its type and digest", async () => {
    for (const reference of ["latest", manifest]) {
      const { status, headers, body } = await call(`/v2/ngpu/chat/manifests/${reference}`);
      expect(status).to.equal(200);
      expect(headers).to.include({
        "content-type": manifestType,
        "docker-content-digest": manifest,
        etag: `"${manifest}"`,
      });
      expect(digestOf(body)).to.equal(manifest);
    }
  });

  it("returns a blob for GET and its headers for HEAD", async () => {
    const whole = await call(`/v2/ngpu/chat/blobs/${blob}`);
    expect(digestOf(whole.body)).to.equal(blob);
    const { status, headers, body } = await call(`/v2/ngpu/chat/blobs/${blob}`, { method: "HEAD" });
    expect(status).to.equal(200);
    expect(headers).to.include({ "content-length": String(content.length), "docker-content-digest": blob });
    expect(body).to.have.length(0);
  });

  it("resumes an interrupted download", async () => {
    const { status, headers, body } = await call(`/v2/ngpu/chat/blobs/${blob}`, {
      headers: { Range: "bytes=9995-" },
    });
    expect(status).to.equal(206);
    expect(headers["content-range"]).to.equal("bytes 9995-9999/10000");
    expect(body.toString()).to.equal("56789");
  });

  it("sends the complete blob when If-Range does not match", async () => {
    const headers = { Range: "bytes=9995-", "If-Range": `"${manifest}"` };
    expect((await call(`/v2/ngpu/chat/blobs/${blob}`, { headers })).body).to.have.length(content.length);
  });

  it("rejects a range outside the blob", async () => {
    const { status, headers, body } = await call(`/v2/ngpu/chat/blobs/${blob}`, {
      headers: { Range: "bytes=10000-" },
    });
    expect(status).to.equal(416);
    expect(codeOf(body)).to.equal("RANGE_INVALID");
    expect(headers["content-type"]).to.match(/^application\/json/);
  });

  it("returns 304 to a client with the current ETag", async () => {
    const headers = { "If-None-Match": `"${blob}"` };
    expect((await call(`/v2/ngpu/chat/blobs/${blob}`, { headers })).status).to.equal(304);
  });

  const unknown = digestOf("unknown");
  const refusals: [string, number, string][] = [
    ["/v2/ngpu/other/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/constructor/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/NGPU/manifests/latest", 400, "NAME_INVALID"],
    [`/v2/${"a".repeat(256)}/manifests/latest`, 400, "NAME_INVALID"],
    ["/v2/ngpu/chat/manifests/other", 404, "MANIFEST_UNKNOWN"],
    ["/v2/ngpu/chat/manifests/constructor", 404, "MANIFEST_UNKNOWN"],
    [`/v2/ngpu/chat/manifests/${unknown}`, 404, "MANIFEST_UNKNOWN"],
    ["/v2/ngpu/chat/manifests/-x", 400, "DIGEST_INVALID"],
    ["/v2/ngpu/chat/blobs/latest", 400, "DIGEST_INVALID"],
    ["/v2/ngpu/chat/blobs/sha256:ABC", 400, "DIGEST_INVALID"],
    [`/v2/ngpu/chat/blobs/${unknown}`, 404, "BLOB_UNKNOWN"],
    ["/v2/ngpu/chat/blobs/..%2f..%2findex.json", 400, "DIGEST_INVALID"],
    ["/v2/ngpu/chat/blobs/sha256:..%2f..%2findex.json", 400, "DIGEST_INVALID"],
    ["/v2/..%2f..%2fetc/manifests/latest", 400, "NAME_INVALID"],
    ["/v2/ngpu/../../etc/manifests/latest", 400, "NAME_INVALID"],
    ["/v2/%ff/manifests/latest", 400, "NAME_INVALID"],
    ["/v2/_catalog", 404, "UNSUPPORTED"],
  ];
  for (const [path, status, code] of refusals) {
    it(`answers ${status} ${code} to ${path.slice(0, 60)}`, async () => {
      const answer = await call(path);
      expect(answer.status).to.equal(status);
      expect(codeOf(answer.body)).to.equal(code);
    });
  }

  it("does not return other blobs as manifests", async () => {
    expect((await call(`/v2/ngpu/chat/manifests/${blob}`)).status).to.equal(404);
  });

  it("rejects uploads and deletions", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const { status, body } = await call("/v2/ngpu/chat/manifests/latest", { method });
      expect(status).to.equal(405);
      expect(codeOf(body)).to.equal("UNSUPPORTED");
    }
  });
});
