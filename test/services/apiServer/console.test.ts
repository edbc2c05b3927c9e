import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type ApiMarket, setup } from "./setup.ts";

const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const assets = readdirSync(join(import.meta.dirname, "../../../console/built/assets"));

describe("apiServer: the console", () => {
  let api: ApiMarket;
  before(async function () {
    this.timeout(180_000);
    api = await setup();
  });
  after(() => api?.stop());
  const get = (path: string, headers: Record<string, string> = browser) =>
    fetch(`${api.url}${path}`, { headers });

  it("serves its page at / and at the path of every page", async () => {
    for (const path of ["/", "/nodes", "/nodes/7", "/workspaces/1?tab=events"]) {
      const response = await get(path);
      expect(response.status, path).to.equal(200);
      expect(response.headers.get("content-type")).to.equal("text/html; charset=utf-8");
      expect(response.headers.get("cache-control")).to.equal("no-cache");
      expect(await response.text()).to.include('<div id="root">');
    }
  });

  it("allows only its own files, and connections to itself and to the chain", async () => {
    const policy = (await get("/")).headers.get("content-security-policy") ?? "";
    expect(policy.split(";")).to.include.members([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `connect-src 'self' ${new URL(api.chain.url).origin}`,
      "frame-ancestors 'none'",
    ]);
    expect(policy).not.to.include("unsafe");
  });

  it("serves files for ever under the name that has their hash, compressed", async () => {
    const script = assets.find((name) => /^index-.*\.js$/.test(name));
    const response = await get(`/assets/${script}`);
    expect(response.headers.get("cache-control")).to.equal("public, max-age=31536000, immutable");
    expect(response.headers.get("content-type")).to.match(/^text\/javascript/);
    expect(response.headers.get("content-encoding")).to.equal("gzip");
    expect(response.headers.get("vary")).to.match(/accept-encoding/i);
    const plain = await get(`/assets/${script}`, { "accept-encoding": "identity" });
    expect(plain.headers.get("content-encoding")).to.equal(null);
    expect(await plain.text()).to.equal(await response.text());
  });

  it("answers 404 for a file that it does not have, and reads none outside its folder", async () => {
    for (const path of ["/assets/index-00000000.js", "/assets/..%2findex.html", "/assets/", "/assets/%00"]) {
      const response = await get(path);
      expect(response.status, path).to.be.oneOf([400, 404]);
      expect(response.headers.get("content-type")).to.match(/^application\/problem\+json/);
    }
  });

  it("leaves the API and its problems as they are", async () => {
    for (const accept of ["application/json", "*/*"]) {
      const unknown = await get("/nowhere", { accept });
      expect(unknown.status).to.equal(404);
      expect(await unknown.json()).to.include({ code: "endpoint_not_found" });
    }
    const inBrowser = await get("/v1/nowhere");
    expect(inBrowser.status).to.equal(404);
    expect(await inBrowser.json()).to.include({ code: "endpoint_not_found" });
    const written = await fetch(`${api.url}/nodes`, { method: "POST", headers: browser });
    expect(written.status).to.equal(404);
    expect((await get("/docs/")).status).to.equal(200);
    expect((await get("/healthz")).status).to.equal(200);
    expect((await get("/client/manifest.json")).status).to.equal(404);
  });

  it("answers HEAD without a body", async () => {
    const response = await fetch(`${api.url}/`, { method: "HEAD", headers: browser });
    expect(response.status).to.equal(200);
    expect(await response.text()).to.equal("");
    expect(Number(response.headers.get("content-length"))).to.be.greaterThan(0);
  });
});
