import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readImageFacts } from "@ngpu/protocol/imageFacts";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";

const digestOf = (body: string | Buffer) => `sha256:${createHash("sha256").update(body).digest("hex")}`;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

describe("the facts of an image", () => {
  let handle: Handler;
  const server = createServer((request, response) => handle(request, response));
  let host: string;

  before(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const read = (digest: string, privateAddresses = true) =>
    readImageFacts(`${host}/team/image@${digest}`, { signal: AbortSignal.timeout(5_000), privateAddresses });
  const failure = (digest: string, privateAddresses = true) =>
    read(digest, privateAddresses).then(
      (facts) => facts,
      (error) => error.code,
    );
  /** Serves each body at the path of its digest, and 404 elsewhere. */
  const serve = (...bodies: string[]) => {
    const byPath = new Map(bodies.map((body) => [`/v2/team/image/manifests/${digestOf(body)}`, body]));
    handle = (request, response) => {
      const body = byPath.get(request.url ?? "");
      response.writeHead(body === undefined ? 404 : 200).end(body);
    };
  };
  const manifest = JSON.stringify({ config: { size: 5 }, layers: [{ size: 10 }, { size: 2 ** 53 - 1 }] });

  it("are the sizes of its manifest, exactly", async () => {
    serve(manifest);
    expect(await read(digestOf(manifest))).to.deep.equal({ sizeBytes: 15n + 2n ** 53n - 1n, layers: 2 });
  });

  it("are those of the Linux image of an index", async () => {
    const platform = (os: string) => ({ os, architecture: "amd64" });
    const other = JSON.stringify({ config: { size: 1 }, layers: [] });
    const index = JSON.stringify({
      manifests: [
        { digest: digestOf(other), platform: platform("windows") },
        { digest: digestOf(manifest), platform: platform("linux") },
      ],
    });
    serve(index, manifest, other);
    expect(await read(digestOf(index))).to.have.property("layers", 2);
  });

  describe("of an index", () => {
    const linux = { os: "linux", architecture: "amd64" };
    const entry = { digest: digestOf(manifest), platform: linux };
    const other = JSON.stringify({ config: { size: 1 }, layers: [] });
    const factsOf = async (manifests: unknown[]) => {
      const body = JSON.stringify({ manifests });
      serve(body, manifest, other);
      return failure(digestOf(body));
    };

    it("are found beside entries that cannot be read", async () => {
      const odd = [
        null,
        0,
        "x",
        [],
        {},
        { digest: "sha256:1" },
        { digest: digestOf(other), platform: { os: 5 } },
      ];
      expect(await factsOf([...odd, entry])).to.have.property("layers", 2);
    });

    it("are those of Linux rather than of an attestation, whatever the architecture", async () => {
      const unknown = { os: "unknown", architecture: "unknown" };
      const attestation = { digest: digestOf(other), platform: unknown };
      const arm = { ...entry, platform: { os: "linux", architecture: "arm64", variant: "v8" } };
      expect(await factsOf([attestation, arm])).to.have.property("layers", 2);
      expect(await factsOf([attestation, { digest: entry.digest }])).to.have.property("layers", 2);
    });

    it("are found among thousands of entries, and not beyond the largest manifest", async () => {
      const windows = { digest: digestOf(other), platform: { os: "windows", architecture: "amd64" } };
      expect(await factsOf([...Array(20_000).fill(windows), entry])).to.have.property("layers", 2);
      expect(await factsOf([...Array(50_000).fill(windows), entry])).to.equal("image_manifest_unreachable");
    });

    it("are refused when it leads to another index, to itself, or to nothing", async () => {
      const inner = JSON.stringify({ manifests: [entry] });
      const outer = JSON.stringify({ manifests: [{ digest: digestOf(inner), platform: linux }] });
      serve(outer, inner, manifest);
      expect(await failure(digestOf(outer))).to.equal("image_manifest_invalid");
      // No document contains its own digest: a registry that serves it anyway serves other bytes.
      handle = (_request, response) => void response.end(outer);
      expect(await failure(digestOf(outer))).to.equal("image_manifest_invalid");
      expect(await factsOf([{ ...entry, digest: digestOf("nothing") }])).to.equal(
        "image_manifest_unreachable",
      );
    });

    it("are found or refused with a code, whatever an entry holds", async () => {
      const field = fc.oneof(
        fc.constantFrom<unknown>(...Object.values(linux), entry.digest, linux),
        fc.anything(),
      );
      const entries = fc.array(
        fc.record({ digest: field, platform: field, size: field }, { requiredKeys: [] }),
      );
      await fc.assert(
        fc.asyncProperty(fc.json(), entries, async (text, manifests) => {
          const plain = JSON.parse(
            JSON.stringify(manifests, (_name, value) => (typeof value === "bigint" ? null : value)),
          );
          const result = await factsOf([JSON.parse(text), ...plain, entry]);
          if (typeof result === "string") expect(result).to.match(/^image_manifest_(invalid|unreachable)$/);
          else expect(result.layers).to.equal(2);
        }),
        { numRuns: runs(50) },
      );
    });
  });

  it("are read with the token that the registry names", async () => {
    handle = (request, response) => {
      if (request.url?.startsWith("/token") === true) {
        expect(request.url).to.equal("/token?service=here&scope=pull");
        response.end('{"token":"secret"}');
      } else if (request.headers.authorization === "Bearer secret") response.end(manifest);
      else {
        const challenge = `Bearer realm="http://${host}/token",service="here",scope="pull"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
      }
    };
    expect(await read(digestOf(manifest))).to.have.property("layers", 2);
  });

  it("are not those of bytes with another digest, nor of anything that is not a manifest", async () => {
    handle = (_request, response) => void response.end('{"config":{"size":1},"layers":[]}');
    expect(await failure(digestOf(manifest))).to.equal("image_manifest_invalid");
    const sizes = [-1, 0.5, 2 ** 53, 9_000_000_000_000_000_000, "1", null];
    const bodies = sizes.map((size) => JSON.stringify({ config: { size: 1 }, layers: [{ size }] }));
    for (const body of [...bodies, "", "null", "[]", "{}", '{"manifests":[]}', "\0", "[".repeat(100_000)]) {
      serve(body);
      expect(await failure(digestOf(body)), body.slice(0, 60)).to.equal("image_manifest_invalid");
    }
  });

  it("are unknown when the registry fails in any way", async () => {
    const ways: Handler[] = [
      (_request, response) => void response.writeHead(500).end(),
      (_request, response) => void response.writeHead(401).end(),
      (_request, response) =>
        void response.writeHead(401, { "www-authenticate": 'Bearer realm="file:///x"' }).end(),
      (request) => void request.socket.destroy(),
      (_request, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("{");
        setImmediate(() => response.destroy());
      },
      (_request, response) => void response.end(Buffer.alloc(5 * 2 ** 20)),
    ];
    for (const way of ways) {
      handle = way;
      expect(await failure(digestOf(manifest))).to.equal("image_manifest_unreachable");
    }
    expect(await failure(digestOf(manifest), false)).to.equal("image_manifest_unreachable");
  });

  it("never come from any other document", async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (body) => {
        serve(body);
        expect(await failure(digestOf(body))).to.equal("image_manifest_invalid");
      }),
      { numRuns: runs(50) },
    );
  });
});
