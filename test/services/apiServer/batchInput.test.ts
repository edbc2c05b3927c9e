import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect } from "chai";
import { inputLineOf, linesOf } from "../../../services/apiServer/batches/batchInput.ts";
import { outcomeOf } from "../../../services/apiServer/batches/lineOutcome.ts";
import { opening, sealing } from "../../../services/apiServer/files/sealedFile.ts";

describe("files and batches", () => {
  const key = randomBytes(32);
  const seal = (bytes: Buffer) => buffer(Readable.from([bytes]).pipe(sealing(key)));
  const open = (sealed: Buffer, by = key) => {
    const opened = opening(by);
    Readable.from([sealed]).pipe(opened);
    return buffer(opened);
  };
  const refused = (work: Promise<unknown>) =>
    work.then(
      () => false,
      () => true,
    );

  it("open what they have sealed, at every length around a part's", async () => {
    const part = 64 << 10;
    for (const length of [0, 1, part - 1, part, part + 1, 3 * part, 3 * part + 5]) {
      const bytes = randomBytes(length);
      expect((await open(await seal(bytes))).equals(bytes), String(length)).to.equal(true);
    }
  });

  it("refuse bytes that were cut off, moved, changed or sealed by another key", async () => {
    const part = (64 << 10) + 16;
    const sealed = await seal(randomBytes(200_000));
    expect(await refused(open(sealed.subarray(0, 2 * part)))).to.equal(true);
    expect(await refused(open(sealed.subarray(0, -1)))).to.equal(true);
    const moved = Buffer.concat([
      sealed.subarray(part, 2 * part),
      sealed.subarray(0, part),
      sealed.subarray(2 * part),
    ]);
    expect(await refused(open(moved))).to.equal(true);
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(70_000) ^ 1, 70_000);
    expect(await refused(open(changed))).to.equal(true);
    expect(await refused(open(sealed, randomBytes(32)))).to.equal(true);
    expect(await refused(open(Buffer.alloc(0)))).to.equal(true);
  });

  it("read lines wherever their bytes are cut, and leave out those that are empty", async () => {
    const text = Buffer.from("one\n\n \r\nzwei ü\r\nthree");
    for (let size = 1; size < text.length; size += 1) {
      const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.subarray(at * size, (at + 1) * size),
      );
      const lines: [number, string | undefined][] = [];
      for await (const { line, bytes } of linesOf(Readable.from(parts)))
        lines.push([line, bytes?.toString()]);
      expect(lines, String(size)).to.deep.equal([
        [1, "one"],
        [4, "zwei ü\r"],
        [5, "three"],
      ]);
    }
  });

  it("keep nothing of a line that is too long", async () => {
    const long = [Buffer.alloc(3 << 20, "a"), Buffer.alloc(3 << 20, "a"), Buffer.from("\nb")];
    const lines: [number, number | undefined][] = [];
    for await (const { line, bytes } of linesOf(Readable.from(long))) lines.push([line, bytes?.length]);
    expect(lines).to.deep.equal([
      [1, undefined],
      [2, 1],
    ]);
    expect(inputLineOf(1, undefined, "/v1/completions")).to.include({ code: "line_too_long", line: 1 });
  });

  it("take a body's own bytes", () => {
    const body = '{"model":"1", "n":12345678901234567890}';
    const line = Buffer.from(`{"custom_id":"a","method":"POST","url":"/v1/completions","body":${body}}`);
    const found = inputLineOf(3, line, "/v1/completions");
    expect("body" in found && found.body.toString()).to.equal(body);
  });

  it("send a line again while no container took it, and otherwise at most three times", () => {
    const failed = (code: string) => ({ httpStatus: null, error: { code, message: "" } });
    const answered = (httpStatus: number) => ({ httpStatus, error: null });
    expect(outcomeOf(answered(200), 1)).to.deep.include({ outcome: "succeeded" });
    expect(outcomeOf(answered(400), 1)).to.deep.equal({ outcome: "failed", error: undefined });
    expect([outcomeOf(answered(503), 2), outcomeOf(failed("replica_unavailable"), 99)]).to.deep.equal([
      "again",
      "again",
    ]);
    expect(outcomeOf(answered(503), 3)).to.deep.include({ outcome: "failed" });
    expect(outcomeOf(failed("task_interrupted"), 2)).to.equal("again");
    expect(outcomeOf(failed("task_interrupted"), 3)).to.deep.include({ outcome: "failed" });
    expect(outcomeOf(failed("model_not_found"), 1)).to.deep.include({ outcome: "failed" });
  });
});
