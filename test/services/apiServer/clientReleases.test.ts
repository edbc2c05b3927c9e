import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createApp, errorHandler } from "@ngpu/runtime/http";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { Registry } from "prom-client";
import { clientReleases } from "../../../services/apiServer/clientReleases.ts";
import { temporaryDir } from "../../embedded/setup.ts";

const paths = [
  "/install_mcNode.sh",
  "/install_measure.sh",
  "/client/manifest.json",
  "/client/1.0.0/a.tar.gz",
];

/** The routes with the headers and error handler of apiServer. */
async function serve(folder: string | undefined) {
  const app = createApp({ health: () => ({ ok: true }), registry: new Registry() });
  app.use(clientReleases(folder));
  app.use(errorHandler(createLogger("test", "silent")));
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    get: (path: string) => fetch(`${url}${path}`),
    stop: () => server.close().closeAllConnections(),
  };
}

const errorOf = async (answer: Response) =>
  ((await answer.json()) as { error: { code: string; hint: string } }).error;

describe("apiServer: releases of the node client", () => {
  const releases = temporaryDir();
  let api: Awaited<ReturnType<typeof serve>>;
  before(async () => {
    mkdirSync(join(releases.path, "client/1.0.0"), { recursive: true });
    for (const path of paths) writeFileSync(join(releases.path, path), `content of ${path}`);
    writeFileSync(join(releases.path, "secret"), "beside what is served");
    api = await serve(releases.path);
  });
  after(() => {
    api.stop();
    releases[Symbol.dispose]();
  });

  it("serves the files in CLIENT_RELEASES", async () => {
    for (const path of paths) {
      const answer = await api.get(path);
      expect([answer.status, await answer.text()]).to.deep.equal([200, `content of ${path}`]);
    }
  });

  it("serves the scripts as plain text", async () => {
    const { headers } = await api.get("/install_mcNode.sh");
    expect(headers.get("content-type")).to.equal("text/plain; charset=utf-8");
  });

  it("serves no other file of the directory", async () => {
    for (const path of ["/client/%2e%2e%2fsecret", "/client/2.0.0/a.tar.gz", "/client/nothing"]) {
      const answer = await api.get(path);
      expect([answer.status, (await errorOf(answer)).code]).to.deep.equal([404, "client_file_not_found"]);
    }
    expect(await (await api.get("/secret")).text()).not.to.include("beside what is served");
  });

  it("returns 404 with a hint without CLIENT_RELEASES", async () => {
    const without = await serve(undefined);
    for (const path of paths) {
      const answer = await without.get(path);
      const { code, hint } = await errorOf(answer);
      expect([answer.status, code]).to.deep.equal([404, "client_release_not_found"]);
      expect(hint).to.include("npm run client:release").and.to.include("CLIENT_RELEASES");
    }
    without.stop();
  });
});
