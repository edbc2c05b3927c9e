import { expect } from "chai";
import fc from "fast-check";
import { createBatcher } from "../../../services/apiServer/batcher.ts";

describe("a batcher", () => {
  it("gives each item the result of its own", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), fc.integer({ min: 1, max: 5 }), async (items, most) => {
        const sizes: number[] = [];
        const batcher = createBatcher({
          most,
          write: async (batch: number[]) => {
            sizes.push(batch.length);
            return batch.map((item) => item * 2);
          },
        });
        const results = await Promise.all(items.map((item) => batcher.add(item)));
        expect(results).to.deep.equal(items.map((item) => item * 2));
        expect(Math.max(0, ...sizes)).to.be.at.most(most);
      }),
    );
  });

  it("writes alone what is not written together, so that one item fails for itself", async () => {
    const batcher = createBatcher({
      write: async (items: number[]) => {
        if (items.some((item) => item < 0)) throw new Error("negative");
        return items;
      },
    });
    const settled = await Promise.allSettled([1, -2, 3].map((item) => batcher.add(item)));
    expect(settled.map(({ status }) => status)).to.deep.equal(["fulfilled", "rejected", "fulfilled"]);
  });

  it("keeps batches below a size, and writes a larger item alone", async () => {
    const batches: number[][] = [];
    const batcher = createBatcher({
      sizeOf: (item: number) => item,
      mostSize: 10,
      write: async (items: number[]) => {
        batches.push(items);
        return items;
      },
    });
    await Promise.all([4, 6, 1, 50, 2, 3].map((item) => batcher.add(item)));
    expect(batches).to.deep.equal([[4, 6], [1], [50], [2, 3]]);
  });

  it("writes one batch at a time, and is idle when all are written", async () => {
    const written: number[] = [];
    const state = { writing: 0 };
    const batcher = createBatcher({
      write: async (items: number[]) => {
        state.writing += 1;
        expect(state.writing).to.equal(1);
        await new Promise(setImmediate);
        written.push(...items);
        state.writing -= 1;
        return items;
      },
    });
    void batcher.add(1);
    await new Promise(setImmediate);
    void batcher.add(2);
    void batcher.add(3);
    await batcher.idle();
    expect(written).to.deep.equal([1, 2, 3]);
  });
});
