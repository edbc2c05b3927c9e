import { createFrameReader, execLimits, execStatus, frameOf } from "@ngpu/protocol/exec";
import { expect } from "chai";
import fc from "fast-check";

describe("the frames of a command's session", () => {
  it("are the messages, however their bytes are cut", () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(messages, cuts, (given, sizes) => {
        const sent = given.map((one) => Buffer.from(one));
        const bytes = Buffer.concat(sent.map(frameOf));
        const reader = createFrameReader();
        const read: Buffer[] = [];
        for (let at = 0, index = 0; at < bytes.length; index += 1) {
          const size = sizes[index % sizes.length] ?? 1;
          read.push(...reader.take(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(read.map((one) => one.toString("hex"))).to.deep.equal(sent.map((one) => one.toString("hex")));
      }),
    );
  });

  it("cost little when the longest message comes byte by byte", () => {
    const message = Buffer.alloc(execLimits.message, "x");
    const bytes = frameOf(message);
    const reader = createFrameReader();
    const copied = copiesOf(() => {
      let early = 0;
      for (let at = 0; at < bytes.length - 1; at += 1)
        early += reader.take(bytes.subarray(at, at + 1)).length;
      expect(early).to.equal(0);
      const [read] = reader.take(bytes.subarray(-1));
      expect(read?.equals(message)).to.equal(true);
    });
    // Each byte a few hundred times; joined at each part it would be half a million times.
    expect(copied / bytes.length).to.be.lessThan(300);
  });

  it("are refused when they are empty or too long, before they are held", () => {
    for (const length of [0, execLimits.message + 1, 2 ** 32 - 1]) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      expect(() => createFrameReader().take(head)).to.throw(RangeError);
    }
  });

  it("end with an exit code that the record can hold", () => {
    const ended = (exitCode: number | null) =>
      execStatus.safeParse({ type: "ended", reason: "exited", exitCode }).success;
    for (const code of [null, 0, 255, -1, 2 ** 31 - 1]) expect(ended(code), String(code)).to.equal(true);
    for (const code of [2 ** 31, -(2 ** 31) - 1, 2 ** 53, 0.5]) expect(ended(code)).to.equal(false);
  });
});

/** Bytes that `Buffer.concat` copies meanwhile. */
function copiesOf(work: () => void): number {
  const concat = Buffer.concat;
  let bytes = 0;
  Buffer.concat = ((list: readonly Uint8Array[], total?: number) => {
    const joined = concat(list, total);
    bytes += joined.length;
    return joined;
  }) as typeof concat;
  try {
    work();
  } finally {
    Buffer.concat = concat;
  }
  return bytes;
}
