import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { openEngine } from "../../node-client/docker/engine.ts";
import { createImageRoom } from "../../node-client/imageRoom.ts";
import { type Journal, openJournal } from "../../node-client/journal/open.ts";
import { putPrefetched, readEvicted, readPrefetched } from "../../node-client/journal/prefetched.ts";
import { putPulled, readPulled } from "../../node-client/journal/pulled.ts";
import { temporaryDir } from "../embedded/setup.ts";

const reference = (name: string) => `registry.example/${name}@sha256:${"ab".repeat(32)}`;

describe("node: room for the images of leases", () => {
  const dir = temporaryDir();
  let server: Server;
  let journal: Journal;
  /** Sizes of the engine's images, GiB. */
  let stored: Map<string, number>;
  /** Images whose container the engine has. */
  let held: Set<string>;
  let removed: string[];

  before(async () => {
    server = createServer((request, response) => {
      const [, name = ""] =
        /images\/registry\.example\/(\w+)@/.exec(decodeURIComponent(request.url ?? "")) ?? [];
      const status = held.has(name) ? 409 : stored.delete(name) ? 200 : 404;
      if (status === 200) removed.push(name);
      response.writeHead(status, { "content-type": "application/json" }).end(status === 200 ? "[]" : "{}");
    });
    server.listen(join(dir.path, "engine.sock"));
    await once(server, "listening");
  });
  beforeEach(() => {
    journal = openJournal(join(dir.path, `${Math.random()}.sqlite`));
    stored = new Map(["old", "newer", "newest", "fetched", "own"].map((name) => [name, 2]));
    [held, removed] = [new Set(), []];
    for (const [at, name] of ["old", "newer", "newest"].entries())
      putPulled(journal, { reference: reference(name), usedAt: 10 * at });
    putPrefetched(journal, { reference: reference("fetched"), sizeBytes: 1, usedAt: 15 });
  });
  afterEach(() => journal.close());
  after(() => {
    server.closeAllConnections();
    server.close();
    dir[Symbol.dispose]();
  });

  /** A disk of 12 GiB, of which images have 10. */
  const make = (wantedGib: number, inUse: string[] = []) =>
    createImageRoom({
      engine: openEngine({ socket: join(dir.path, "engine.sock"), market: "00000000", node: "0x01" }),
      journal,
      dataDir: dir.path,
      logger: createLogger("test", "silent"),
      inUse: () => new Set(inUse.map(reference)),
      free: async () => 12 - [...stored.values()].reduce((sum, size) => sum + size, 0),
    }).make(wantedGib);

  it("removes nothing while there is enough", async () => {
    expect(await make(2)).to.equal(0);
    expect(removed).to.deep.equal([]);
  });

  it("removes the least recently used images, prefetched ones too, and no more than necessary", async () => {
    expect(await make(7)).to.equal(-1);
    expect(removed).to.deep.equal(["old", "newer", "fetched"]);
    expect(readPulled(journal).map((image) => image.reference)).to.deep.equal([reference("newest")]);
    expect([readPrefetched(journal), readEvicted(journal)]).to.deep.equal([[], [reference("fetched")]]);
  });

  it("keeps the images of leases, of containers that are left, and of the operator", async () => {
    held.add("newer");
    expect(await make(12, ["old"])).to.equal(6);
    expect(removed).to.deep.equal(["fetched", "newest"]);
    expect(readPulled(journal).map((image) => image.reference)).to.include(reference("newer"));
    held.clear();
    await make(12);
    expect([...stored.keys()]).to.deep.equal(["own"]);
  });

  it("counts the room of one image once, though two ask at the same time", async () => {
    const room = createImageRoom({
      engine: openEngine({ socket: join(dir.path, "engine.sock"), market: "00000000", node: "0x01" }),
      journal,
      dataDir: dir.path,
      logger: createLogger("test", "silent"),
      inUse: () => new Set(),
      free: async () => 12 - [...stored.values()].reduce((sum, size) => sum + size, 0),
    });
    expect(await Promise.all([room.make(4), room.make(4)])).to.deep.equal([0, 0]);
    expect(removed).to.deep.equal(["old"]);
  });
});
