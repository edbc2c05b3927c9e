import { createHotCache, hotTimes } from "@ngpu/runtime/hotCache";
import { expect } from "chai";

/** A cache of a source that counts its reads; `often` uses a key until its value is kept. */
function setup() {
  const source = new Map<string, number>([["a", 1]]);
  const state = { now: 0, reads: 0, gate: Promise.resolve() };
  const cache = createHotCache({
    now: () => state.now,
    load: async (key) => {
      state.reads += 1;
      const value = source.get(key);
      await state.gate;
      return value;
    },
  });
  const often = async (key = "a") => {
    for (let uses = 0; uses < 40; uses++) await cache.get(key);
  };
  return { source, state, cache, often };
}

describe("a hot cache", () => {
  it("reads a value that is used seldom each time", async () => {
    const { source, state, cache } = setup();
    for (let uses = 0; uses < 10; uses++) expect(await cache.get("a")).to.equal(1);
    source.set("a", 2);
    expect(await cache.get("a")).to.equal(2);
    expect(state.reads).to.equal(11);
    expect(cache.find("a")).to.equal(undefined);
  });

  it("keeps a value that is used often", async () => {
    const { state, cache, often } = setup();
    await often();
    const { reads } = state;
    expect(cache.find("a")).to.equal(1);
    expect(await cache.get("a")).to.equal(1);
    expect(state.reads).to.equal(reads);
  });

  it("uses no value that is older than its age, whether it is notified or not", async () => {
    const { source, state, cache, often } = setup();
    await often();
    source.delete("a");
    state.now += hotTimes.maxAge + 1;
    expect(cache.find("a")).to.equal(undefined);
    expect(await cache.get("a")).to.equal(undefined);
  });

  it("reads a value again while it is used, before it is too old", async () => {
    const { source, state, cache, often } = setup();
    await often();
    source.set("a", 2);
    state.now += hotTimes.refreshAge + 1;
    expect(cache.find("a")).to.equal(1);
    await new Promise(setImmediate);
    expect(cache.find("a")).to.equal(2);
  });

  it("drops a value at a notification", async () => {
    const { source, cache, often } = setup();
    await often();
    source.delete("a");
    cache.forget("a");
    expect(cache.find("a")).to.equal(undefined);
    expect(await cache.get("a")).to.equal(undefined);
  });

  it("keeps a value again at the next use after a notification", async () => {
    const { source, cache, often } = setup();
    await often();
    source.set("a", 2);
    cache.forget();
    expect(await cache.get("a")).to.equal(2);
    expect(cache.find("a")).to.equal(2);
  });

  it("does not keep what it read before a notification", async () => {
    const { source, state, cache, often } = setup();
    await often();
    const gate = Promise.withResolvers<void>();
    state.gate = gate.promise;
    state.now += hotTimes.maxAge + 1;
    const reading = cache.get("a");
    source.delete("a");
    cache.forget("a");
    gate.resolve();
    expect(await reading).to.equal(1);
    expect(cache.find("a")).to.equal(undefined);
    expect(await cache.get("a")).to.equal(undefined);
  });
});
