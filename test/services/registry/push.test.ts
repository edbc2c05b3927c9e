import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { Agent, type ClientRequest, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Database } from "@ngpu/db/pool";
import { digestOf, hexOf } from "@ngpu/image-store/digest";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import express from "express";
import { collect } from "../../../services/registry/push/collect.ts";
import { pushRouter } from "../../../services/registry/push/router.ts";
import { registryRouter } from "../../../services/registry/router.ts";
import { temporaryDir } from "../../embedded/setup.ts";
import { insertWorkspace, openChainTables } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";

const account = `0x${"a1".repeat(20)}`;
const other = `0x${"b2".repeat(20)}`;
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const mib = 2 ** 20;

type Answer = { status: number; headers: IncomingMessage["headers"]; body: Buffer };
type Call = { method?: string; key?: string | undefined; headers?: Record<string, string>; body?: Buffer };

describe("pushes to the registry", function () {
  this.timeout(60_000);
  const dir = temporaryDir();
  let tables: Awaited<ReturnType<typeof openChainTables>>;
  let db: Database;
  let server: Server;
  let port: number;
  let key: string;
  let agent: Agent;

  const serve = async () => {
    const deps = { db, storeDir: dir.path, logger: createLogger("registry", "silent") };
    const limits = { publicUrl: undefined, quotaBytes: 4 * mib, reserveBytes: 0 };
    server = express()
      .use(pushRouter({ ...deps, ...limits }))
      .use(registryRouter({ storeDir: dir.path }))
      .listen(port ?? 0, "127.0.0.1");
    await once(server, "listening");
    agent = new Agent({ keepAlive: true });
    ({ port } = server.address() as AddressInfo);
  };
  const stop = async () => {
    agent.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  const addKey = async (wallet: string, terms = "null, null, null") => {
    const [id, secret] = [randomBytes(8).toString("hex"), randomBytes(32).toString("hex")];
    const hash = createHash("sha256").update(secret, "hex").digest();
    await tables.chain.query("insert into app.account (wallet) values ($1) on conflict do nothing", [wallet]);
    await tables.chain.query(
      `insert into app.api_key (id, wallet, name, secret_hash, scopes, expires_at, revoked_at)
       values ($1, $2, 'push', $3, ${terms})`,
      [id, wallet, hash],
    );
    return `ngpu_${id}_${secret}`;
  };
  const open = (path: string, { method = "GET", key: as = key, headers = {} }: Call): ClientRequest => {
    const own = as === "" ? {} : { authorization: `Bearer ${as}` };
    return request({ agent, host: "127.0.0.1", port, path, method, headers: { ...own, ...headers } });
  };
  const call = async (path: string, given: Call = {}): Promise<Answer> => {
    const sent = open(path, given);
    sent.end(given.body);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return { status: response.statusCode ?? 0, headers: response.headers, body: await buffer(response) };
  };
  const codeOf = ({ body }: Answer): string => JSON.parse(body.toString()).errors[0].code;
  const begin = async (name = "chat", as = key) => {
    const answer = await call(`/v2/${account}/${name}/blobs/uploads/`, { method: "POST", key: as });
    return String(answer.headers.location);
  };
  const putBlob = async (body: Buffer, name?: string) =>
    call(`${await begin(name)}?digest=${digestOf(body)}`, { method: "PUT", body });
  const manifestOf = (config: Buffer, layers: Buffer[]) => {
    const part = (bytes: Buffer) => ({ mediaType: "any/type", digest: digestOf(bytes), size: bytes.length });
    return Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: part(config),
        layers: layers.map(part),
      }),
    );
  };
  const putManifest = (body: Buffer, reference: string, name = "chat") =>
    call(`/v2/${account}/${name}/manifests/${reference}`, {
      method: "PUT",
      body,
      headers: { "content-type": manifestType },
    });
  /** Pushes an image of one layer. */
  const pushImage = async (tag: string, name?: string) => {
    const [config, layer] = [
      Buffer.from(JSON.stringify({ tag, random: randomBytes(8).toString("hex") })),
      randomBytes(1_000),
    ];
    for (const blob of [config, layer]) expect((await putBlob(blob, name)).status).to.equal(201);
    const manifest = manifestOf(config, [layer]);
    expect((await putManifest(manifest, tag, name)).status).to.equal(201);
    return { manifest, layer, digest: digestOf(manifest) };
  };
  const files = () => readdirSync(join(dir.path, "blobs", "sha256"));

  before(async () => {
    tables = await openChainTables("ngpu_registry");
    ({ db } = tables);
    key = await addKey(account);
    await serve();
  });
  after(async () => {
    await stop();
    await tables.close();
    dir[Symbol.dispose]();
  });

  it("asks Docker for a key where it signs in, and gives a reader without a key a token to read with", async () => {
    const asked = await call("/v2/", { key: "" });
    expect(asked.status).to.equal(401);
    expect(asked.headers["www-authenticate"]).to.equal(
      `Bearer realm="http://127.0.0.1:${port}/v2/token",service="ngpu"`,
    );
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`any:${password}`).toString("base64")}`,
    });
    const token = JSON.parse((await call("/v2/token", { key: "", headers: basic(key) })).body.toString());
    expect((await call("/v2/", { key: token.token })).status).to.equal(200);
    expect((await call("/v2/token", { key: "", headers: basic(`${key.slice(0, -1)}x`) })).status).to.equal(
      401,
    );
    const reader = JSON.parse((await call("/v2/token", { key: "" })).body.toString());
    expect((await call("/v2/", { key: reader.token })).status).to.equal(200);
  });

  it("refuses keys that may not push, and repositories of others", async () => {
    const path = `/v2/${account}/chat/blobs/uploads/`;
    const refused = [
      "anonymous",
      await addKey(account, "'{read,tasks}', null, null"),
      await addKey(account, "null, now() - interval '1 second', null"),
      await addKey(account, "null, null, now()"),
    ];
    for (const one of refused) {
      const answer = await call(path, { method: "POST", key: one });
      expect([answer.status, codeOf(answer)]).to.deep.equal([401, "UNAUTHORIZED"]);
    }
    const foreign = await call(path, {
      method: "POST",
      key: await addKey(other, "'{workspaces}', null, null"),
    });
    expect([foreign.status, codeOf(foreign)]).to.deep.equal([403, "DENIED"]);
    expect((await call("/v2/chat/blobs/uploads/", { method: "POST" })).status).to.equal(405);
  });

  it("serves a pushed image by digest to everybody, and by tag to its account", async () => {
    const { digest, manifest, layer } = await pushImage("v1");
    const path = `/v2/${account}/chat`;
    const read = await call(`${path}/manifests/${digest}`, { key: "" });
    expect([read.status, read.headers["content-type"], read.body.equals(manifest)]).to.deep.equal([
      200,
      manifestType,
      true,
    ]);
    const range = { range: "bytes=10-19" };
    const part = await call(`${path}/blobs/${digestOf(layer)}`, { key: "anonymous", headers: range });
    expect([part.status, part.body.equals(layer.subarray(10, 20))]).to.deep.equal([206, true]);
    expect((await call(`${path}/manifests/v1`, { key: "" })).status).to.equal(401);
    expect((await call(`${path}/manifests/v1`)).headers["docker-content-digest"]).to.equal(digest);
    expect(JSON.parse((await call(`${path}/tags/list`)).body.toString()).tags).to.deep.equal(["v1"]);
    const elsewhere = await call(`/v2/${other}/chat/blobs/${digestOf(layer)}`, { key: "" });
    expect(elsewhere.status).to.equal(404);
  });

  it("continues an upload after a cut connection and a new process, where it ended", async () => {
    const blob = randomBytes(mib);
    const location = await begin();
    const cut = open(location, { method: "PATCH", headers: { "content-length": String(blob.length) } });
    cut.on("error", () => undefined);
    cut.write(blob.subarray(0, 300_000));
    const stored = async () => Number((await call(location)).headers.range?.split("-")[1]) + 1;
    await eventually("the first part", async () => (await stored()) === 300_000);
    const second = await call(location, { method: "PATCH", body: blob });
    expect([second.status, codeOf(second)]).to.deep.equal([409, "BLOB_UPLOAD_INVALID"]);
    cut.destroy();
    await stop();
    await serve();
    const wrong = await call(location, {
      method: "PATCH",
      body: blob.subarray(9),
      headers: { "content-range": `9-${blob.length - 1}` },
    });
    expect([wrong.status, wrong.headers.range]).to.deep.equal([416, "0-299999"]);
    const rest = await call(location, {
      method: "PATCH",
      body: blob.subarray(300_000),
      headers: { "content-range": `300000-${blob.length - 1}` },
    });
    expect([rest.status, rest.headers.range]).to.deep.equal([202, `0-${blob.length - 1}`]);
    expect((await call(`${location}?digest=${digestOf(blob)}`, { method: "PUT" })).status).to.equal(201);
    expect(files()).to.include(hexOf(digestOf(blob)));
    expect((await call(location)).status).to.equal(404);
  });

  it("stores nothing of a blob with another digest, and no manifest without its parts", async () => {
    const before = files();
    const wrong = await call(`${await begin()}?digest=${digestOf("other")}`, {
      method: "PUT",
      body: Buffer.from("this"),
    });
    expect([wrong.status, codeOf(wrong)]).to.deep.equal([400, "DIGEST_INVALID"]);
    const lacking = await putManifest(manifestOf(Buffer.from("absent"), [Buffer.from("too")]), "v2");
    expect([lacking.status, codeOf(lacking)]).to.deep.equal([404, "MANIFEST_BLOB_UNKNOWN"]);
    const damaged = await putManifest(Buffer.from("{"), "v2");
    expect([damaged.status, codeOf(damaged)]).to.deep.equal([400, "MANIFEST_INVALID"]);
    expect(files()).to.deep.equal(before);
  });

  it("takes a blob that the account has from its other repository, and from no other account", async () => {
    const { layer } = await pushImage("v1", "first");
    const mount = `mount=${digestOf(layer)}&from=${account}/first`;
    const mounted = await call(`/v2/${account}/second/blobs/uploads/?${mount}`, { method: "POST" });
    expect(mounted.status).to.equal(201);
    const foreign = await call(`/v2/${other}/second/blobs/uploads/?${mount}`, {
      method: "POST",
      key: await addKey(other),
    });
    expect(foreign.status).to.equal(202);
  });

  it("refuses what is above the quota, also without a length, and keeps nothing of it", async () => {
    const large = randomBytes(5 * mib);
    const known = await call(await begin(), { method: "PATCH", body: large });
    expect([known.status, codeOf(known)]).to.deep.equal([403, "DENIED"]);
    const location = await begin();
    const chunked = await call(location, {
      method: "PATCH",
      body: large,
      headers: { "transfer-encoding": "chunked" },
    });
    expect([chunked.status, codeOf(chunked)]).to.deep.equal([403, "DENIED"]);
    expect((await call(location)).status).to.equal(404);
    expect((await putBlob(Buffer.from("small"))).status).to.equal(201);
  });

  it("keeps what a tag or an open workspace names, and removes the rest with its files", async () => {
    const image = (digest: string) => `0x${digest.slice(7)}`;
    const [tagged, named, closed] = [
      await pushImage("keep"),
      await pushImage("next"),
      await pushImage("next"),
    ];
    const last = await pushImage("next");
    await insertWorkspace(tables.chain, { workspace_id: 1, image: image(named.digest) });
    await insertWorkspace(tables.chain, { workspace_id: 2, image: image(closed.digest), status: "closed" });
    const abandoned = await begin();
    const manifest = async (digest: string) =>
      (await call(`/v2/${account}/chat/manifests/${digest}`, { key: "" })).status;
    const all = [tagged, named, closed, last];
    expect((await collect({ db, storeDir: dir.path }, 3_600)).manifests).to.equal(0);
    await collect({ db, storeDir: dir.path }, 0);
    expect(await Promise.all(all.map(({ digest }) => manifest(digest)))).to.deep.equal([200, 200, 404, 200]);
    expect((await call(abandoned)).status).to.equal(404);
    expect(files())
      .to.include(hexOf(digestOf(named.layer)))
      .and.not.include(hexOf(digestOf(closed.layer)));
    await tables.chain.query("update chain.workspace set status = 'closed'");
    expect((await call(`/v2/${account}/chat/manifests/next`, { method: "DELETE" })).status).to.equal(202);
    await collect({ db, storeDir: dir.path }, 0);
    await collect({ db, storeDir: dir.path }, 0);
    expect(await Promise.all(all.map(({ digest }) => manifest(digest)))).to.deep.equal([200, 404, 404, 404]);
  });
});
