import { expect } from "chai";
import { createBackgroundTasks } from "../../../services/apiServer/backgroundTasks.ts";

const mib = 1 << 20;

describe("apiServer: background tasks", () => {
  /** Begins tasks that end when the test says so. */
  function open() {
    const background = createBackgroundTasks();
    const running = new Map<string, () => void>();
    const leaving = new Map<string, () => void>();
    const ended: Promise<void>[] = [];
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    return {
      running,
      settled,
      leave: async (name: string) => {
        leaving.get(name)?.();
        await settled();
      },
      begin: (name: string, wallet: string, bytes = 0, workspaceId = "1") => {
        const work = (leave: () => void) => {
          leaving.set(name, leave);
          return new Promise<void>((resolve) => running.set(name, resolve));
        };
        ended.push(background.during({ wallet, workspaceId, bytes }, work));
      },
      end: async (name: string) => {
        running.get(name)?.();
        running.delete(name);
        await settled();
      },
      all: () => Promise.all(ended),
    };
  }

  it("of one wallet wait for its own alone, in order", async () => {
    const { begin, end, running } = open();
    for (let index = 0; index < 40; index += 1) begin(`a${index}`, "a");
    begin("b", "b");
    expect([...running.keys()]).to.deep.equal([
      ...Array.from({ length: 32 }, (_, index) => `a${index}`),
      "b",
    ]);
    await end("a5");
    expect([...running.keys()].at(-1)).to.equal("a32");
    await end("a6");
    expect([...running.keys()].at(-1)).to.equal("a33");
  });

  it("hold at most 64 MiB of inputs of a wallet, and one input of any size", async () => {
    const { begin, end, running } = open();
    begin("whole", "a", 100 * mib);
    begin("next", "a", 40 * mib);
    begin("small", "a", 1);
    expect([...running.keys()]).to.deep.equal(["whole"]);
    await end("whole");
    expect([...running.keys()]).to.deep.equal(["next", "small"]);
    begin("large", "a", 40 * mib);
    begin("tiny", "a", 1);
    expect([...running.keys()]).to.deep.equal(["next", "small"]);
    await end("next");
    expect([...running.keys()]).to.deep.equal(["small", "large", "tiny"]);
  });

  it("that wait for a replica let those of other workspaces begin, and no more of their own", async () => {
    const { begin, end, leave, running, settled } = open();
    for (let index = 0; index < 34; index += 1) begin(`cold${index}`, "a");
    begin("warm", "a", 0, "2");
    await settled();
    expect(running.size).to.equal(32);
    expect([...running.keys()]).not.to.include("warm");
    for (let index = 0; index < 32; index += 1) await leave(`cold${index}`);
    expect([...running.keys()].slice(32)).to.deep.equal(["warm"]);
    await end("warm");
    await end("cold3");
    expect([...running.keys()].at(-1)).to.equal("cold32");
  });

  it("of several workspaces take turns", async () => {
    const { begin, end, running } = open();
    for (let index = 0; index < 32; index += 1) begin(`x${index}`, "a", 0, String(3 + (index % 2)));
    for (const name of ["a1", "a2"]) begin(name, "a", 0, "1");
    for (const name of ["b1", "b2"]) begin(name, "a", 0, "2");
    for (let index = 0; index < 4; index += 1) await end(`x${index}`);
    expect([...running.keys()].slice(-4)).to.deep.equal(["a1", "b1", "a2", "b2"]);
  });

  it("that fail free their place", async () => {
    const background = createBackgroundTasks();
    const failures = await Promise.all(
      Array.from({ length: 100 }, () =>
        background
          .during({ wallet: "a", workspaceId: "1", bytes: mib }, () => Promise.reject(new Error("no")))
          .catch((error: Error) => error.message),
      ),
    );
    expect(new Set(failures)).to.deep.equal(new Set(["no"]));
    let isRun = false;
    await background.during({ wallet: "a", workspaceId: "1", bytes: 64 * mib }, async () => {
      isRun = true;
    });
    expect(isRun).to.equal(true);
  });
});
