import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { createImageSizes } from "../../../../services/match/prefetch/imageSizes.ts";
import { eventually } from "../../support/context.ts";

const body = Buffer.from(JSON.stringify({ config: { size: 1 }, layers: [{ size: 41 }] }));
const digest = createHash("sha256").update(body).digest("hex");

describe("match: sizes of images to prefetch", () => {
  const servers: Server[] = [];
  const stopping = new AbortController();
  after(() => {
    stopping.abort();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** A registry, and an image of it. */
  async function serve(answer: (response: ServerResponse) => void, owner: string) {
    const registry = {
      answer,
      requests: 0,
      image: { image: "", reference: "", owner, assignments: 1, workspaceId: 1n },
    };
    const server = createServer((_request, response) => {
      registry.requests += 1;
      registry.answer(response);
    });
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const reference = `127.0.0.1:${(server.address() as AddressInfo).port}/image@sha256:${digest}`;
    registry.image = { ...registry.image, reference, image: `0x${digest}/${owner}` };
    return registry;
  }

  it("are returned without those of a silent registry, which is asked once until it answers", async () => {
    let waiting: ServerResponse[] = [];
    const silent = await serve((response) => void waiting.push(response), "0xaa");
    const good = await serve((response) => void response.end(body), "0xbb");
    const { signal } = stopping;
    const logger = createLogger("test", "silent");
    const sizes = createImageSizes({ signal, privateAddresses: true, logger, deadline: 100 });
    const read = async () =>
      (await sizes([silent.image, good.image])).map(({ owner, sizeBytes }) => [owner, sizeBytes]);
    // The good one is known as soon as it has answered, whatever the silent one does.
    let found = await read();
    while (found[1]?.[1] === null) found = await read();
    expect(found).to.deep.equal([
      ["0xaa", null],
      ["0xbb", 42n],
    ]);
    await read();
    expect([silent.requests, good.requests]).to.deep.equal([1, 1]);
    for (const response of waiting) response.end(body);
    waiting = [];
    let last: unknown;
    void (async () => {
      while (!signal.aborted && last !== 42n) last = (await read())[0]?.[1];
    })();
    await eventually("the silent one's size", () => last === 42n);
    expect([silent.requests, good.requests]).to.deep.equal([1, 1]);
  });
});
