import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putBytes } from "@ngpu/image-store/blobs";
import { type Digest, hexOf } from "@ngpu/image-store/digest";
import { tagManifests } from "@ngpu/image-store/index-file";
import { expect } from "chai";
import express from "express";
import { registryRouter } from "../../../services/registry/router.ts";
import { eventually } from "../support/context.ts";

const silence = 500;
/** More than the buffers of a connection hold. */
const blobBytes = 64 * 2 ** 20;

describe("a puller of the registry that falls silent", function () {
  this.timeout(30_000);
  let dir: string;
  let server: Server;
  let blob: Digest;
  const sockets = new Set<Socket>();

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-puller-"));
    blob = (await putBytes(dir, Buffer.alloc(blobBytes, 7))).digest;
    const manifest = (await putBytes(dir, Buffer.from('{"schemaVersion":2}'))).digest;
    await tagManifests(dir, [{ repository: "ngpu/chat", tag: "latest", digest: manifest }]);
    server = express()
      .use(registryRouter({ storeDir: dir, silence }))
      .listen(0, "127.0.0.1");
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await once(server, "listening");
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });

  const port = () => (server.address() as AddressInfo).port;
  const head = () => `GET /v2/ngpu/chat/blobs/${blob} HTTP/1.1\r\nhost: registry\r\n\r\n`;
  const openFiles = () =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith(hexOf(blob));
      } catch {
        return false;
      }
    }).length;

  for (const [what, take] of Object.entries({
    "reads nothing": () => undefined,
    "reads the head and stops": async (puller: Socket) => {
      puller.resume();
      await once(puller, "data");
      puller.pause();
    },
  })) {
    it(`and ${what} is cut, its file is closed, and another one gets the whole image meanwhile`, async () => {
      const puller = connect(port(), "127.0.0.1").pause();
      puller.on("error", () => undefined);
      puller.write(head());
      await take(puller);
      await eventually("the transfer", () => openFiles() > 0);
      const other = await fetch(`http://127.0.0.1:${port()}/v2/ngpu/chat/blobs/${blob}`);
      expect((await other.arrayBuffer()).byteLength).to.equal(blobBytes);
      await eventually("the end of the file", () => openFiles() === 0);
      puller.destroy();
    });
  }

  it("but goes on within the deadline gets the whole image", async () => {
    const puller = connect(port(), "127.0.0.1");
    puller.write(head());
    let received = 0;
    puller.on("data", (chunk) => {
      received += chunk.byteLength;
      puller.pause();
      // At the pace of the test's machine, but always short of the deadline.
      setTimeout(() => puller.resume(), received < 2 ** 20 ? silence / 10 : 0);
    });
    await eventually("the whole image", () => received > blobBytes);
    puller.destroy();
  });
});
