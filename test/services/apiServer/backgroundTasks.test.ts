import { expect } from "chai";
import { createBackgroundTasks } from "../../../services/apiServer/backgroundTasks.ts";

const mib = 1 << 20;

describe("apiServer: background tasks", () => {
  /** Begins tasks that end when the test says so. */
  function open() {
    const background = createBackgroundTasks();
    const running = new Map<string, () => void>();
    const ended: Promise<void>[] = [];
    return {
      running,
      begin: (name: string, wallet: string, bytes = 0) => {
        ended.push(
          background.during(wallet, bytes, () => new Promise<void>((resolve) => running.set(name, resolve))),
        );
      },
      end: async (name: string) => {
        running.get(name)?.();
        running.delete(name);
        await new Promise((resolve) => setImmediate(resolve));
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

  it("that fail free their place", async () => {
    const background = createBackgroundTasks();
    const failures = await Promise.all(
      Array.from({ length: 100 }, () =>
        background
          .during("a", mib, () => Promise.reject(new Error("no")))
          .catch((error: Error) => error.message),
      ),
    );
    expect(new Set(failures)).to.deep.equal(new Set(["no"]));
    let isRun = false;
    await background.during("a", 64 * mib, async () => {
      isRun = true;
    });
    expect(isRun).to.equal(true);
  });
});
