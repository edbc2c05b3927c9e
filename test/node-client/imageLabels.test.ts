import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createContainer, inspectOwn, listContainers } from "../../node-client/docker/containers.ts";
import { type Engine, openEngine } from "../../node-client/docker/engine.ts";
import { resolveUser } from "../../node-client/docker/imageUser.ts";
import { workspaceContainer } from "../../node-client/docker/sandbox.ts";
import { type Said, startFakeEngine } from "../support/fakeEngine.ts";

type Options = Parameters<typeof workspaceContainer>[1];

const fence = "0x0102030405060708";
const digest = `sha256:${"0".repeat(64)}`;
/** The labels of the client's containers, as an image may have them. */
const foreign = {
  "ngpu.market": "bbbbbbbb",
  "ngpu.node": "0x02",
  "ngpu.workspace": "7",
  "ngpu.replica": "0",
  "ngpu.lease": "1",
  "ngpu.fence": fence,
  "ngpu.probe": "1",
  "ngpu.inspected": "sha256:0",
  "ngpu.walls": "1",
  "ngpu.gpus": "GPU-1",
};

describe("the labels of an image", () => {
  const dir = mkdtempSync(join(tmpdir(), "ngpu-labels-"));
  const said = new Map<string, Said>();
  let fake: Awaited<ReturnType<typeof startFakeEngine>>;
  let engine: Engine;
  before(async () => {
    const socket = join(dir, "engine.sock");
    fake = await startFakeEngine(socket, dir, (name) => said.get(name) ?? {});
    engine = openEngine({ socket, market: "aaaaaaaa", node: `0x${"12345678".repeat(5)}` });
  });
  after(() => {
    fake.stop();
    rmSync(dir, { recursive: true });
  });

  const run = (name: string, workspaceId: bigint) =>
    createContainer(
      engine,
      workspaceContainer(engine, {
        lease: { workspaceId, replica: 0, lease: 1, fence },
        plan: {
          reference: `127.0.0.1:9/${name}@${digest}`,
          memoryMib: 64,
          diskGib: 1,
          cpuMilli: 100,
          config: { env: {}, ports: [80] },
        },
        gpuUuids: [],
        user: "65534:65534",
        network: "n1",
      } as unknown as Options),
    );
  const leases = async () =>
    (await listContainers(engine)).map(({ id, workspaceId, gpuUuids }) => ({ id, workspaceId, gpuUuids }));

  it("make its container no container of another lease, of a probe, or of the client", async () => {
    said.set("labelled", { labels: foreign });
    const own = await run("plain", 7n);
    const labelled = await run("labelled", 8n);
    expect(await leases()).to.have.deep.members([
      { id: own, workspaceId: 7n, gpuUuids: [] },
      { id: labelled, workspaceId: 8n, gpuUuids: [] },
    ]);
    for (const purpose of ["probe", "inspected", "walls"] as const) {
      expect(await inspectOwn(engine, purpose), purpose).to.deep.equal([]);
    }
  });

  it("add no container to a lease while the image's files are read", async () => {
    let during: unknown;
    let inspected: unknown[] = [];
    said.set("named", {
      labels: foreign,
      onFile: async () => {
        during ??= await leases();
        inspected = await inspectOwn(engine, "inspected");
      },
    });
    const before = await leases();
    const id = `127.0.0.1:9/named@${digest}`;
    const image = { id, user: "app", sizeBytes: 1, platform: undefined, volumes: [] };
    expect(await resolveUser(engine, image, new Map())).to.equal("65534:65534");
    expect(during).to.deep.equal(before);
    expect(inspected).to.have.length(1);
    expect(await inspectOwn(engine, "inspected")).to.deep.equal([]);
  });
});
