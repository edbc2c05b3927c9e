import { expect } from "chai";
import type { LiarLine } from "../../chaos/liars/index.ts";
import { run } from "../../chaos/liars/index.ts";

describe("liars among nodes and measurers, on the contracts", function () {
  this.timeout(900_000);

  it("are noticed in their first wave and paid nothing, and the honest nodes are paid", async () => {
    const { ok, figures, text } = await run({
      kills: 3,
      seed: 1,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    process.stdout.write(`${text}\n`);
    const lines = figures.lines as LiarLine[];
    expect(lines.map(({ kind, after }) => [kind, after])).to.deep.equal([
      ["honest", null],
      ["8 × H100 without a GPU", 1],
      ["ten names for one box", 1],
      ["half the memory, the rest made up", 1],
      ["memory on a disk", 1],
      ["an answer made before the seed", 1],
      ["another node's answer", 1],
      ["an answer after the cut-off", 1],
      ["another chase after the work's block", 1],
      ["a measurer that copies results", 1],
      ["a measurer that withholds its results", 1],
      ["a measurer that passes a friend", 1],
    ]);
    expect(ok).to.equal(true);
  });
});
