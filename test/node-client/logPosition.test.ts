import { formatLogCursor, parseLogCursor } from "@ngpu/protocol/logLines";
import { parseNodePath, parseRoutedPath } from "@ngpu/protocol/nodeRequests";
import { expect } from "chai";
import fc from "fast-check";
import { createFrameSplitter } from "../../node-client/docker/frames.ts";
import { nanosecondsOf } from "../../node-client/docker/outputLog.ts";
import { createLogPosition, disorder } from "../../node-client/logs/position.ts";

describe("a reader's position in a container's output", () => {
  /** Times of lines: mostly later than before, sometimes equal, sometimes a little earlier. */
  const steps = fc.array(fc.integer({ min: -3, max: 6 }), { minLength: 1, maxLength: 60 });
  const timesOf = (given: readonly number[]) => {
    let time = 1_000_000_000_000n;
    return given.map((step) => {
      time += BigInt(step);
      return time;
    });
  };

  it("reads every line once, however often it begins again", () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat(10), { maxLength: 30 }), (given, amounts) => {
        const times = timesOf(given);
        const read: number[] = [];
        let cursor = { anchor: 0n, count: 0 };
        for (const amount of [...amounts, times.length]) {
          const position = createLogPosition(cursor);
          let left = amount;
          const since = cursor.anchor - disorder;
          for (const [index, time] of times.entries()) {
            if (left === 0) break;
            if (time < since) continue;
            const { isNew, lostAfter } = position.take(time);
            expect(lostAfter).to.equal(undefined);
            if (!isNew) continue;
            read.push(index);
            left -= 1;
          }
          cursor = position.read();
        }
        expect(read).to.deep.equal(times.map((_time, index) => index));
      }),
    );
  });

  it("shows a gap when its last line is gone, and reads on after it", () => {
    const position = createLogPosition({ anchor: 50n, count: 1 });
    expect(position.take(70n)).to.deep.equal({ isNew: true, lostAfter: 50n });
    expect(position.take(71n)).to.deep.equal({ isNew: true });
    expect(position.read()).to.deep.equal({ anchor: 71n, count: 1 });
  });

  it("counts lines of the same time, and of a clock that was set back", () => {
    const position = createLogPosition({ anchor: 0n, count: 0 });
    const times = [100n, 100n, 90n, 100n];
    for (const time of times) expect(position.take(time).isNew).to.equal(true);
    expect(position.read()).to.deep.equal({ anchor: 100n, count: 4 });
    const again = createLogPosition(position.read());
    expect(times.map((time) => again.take(time).isNew)).to.deep.equal([false, false, false, false]);
    expect(again.take(95n).isNew).to.equal(true);
  });

  it("survives its way through text", () => {
    const cursor = { lease: 3, container: "0123456789ab", anchor: 1_764_432_797_123_456_789n, count: 2 };
    expect(parseLogCursor(formatLogCursor(cursor))).to.deep.equal(cursor);
    for (const text of ["", "1.2.3.4", "3.0123456789ab.1", "3.0123456789ab.-1.1"]) {
      expect(parseLogCursor(text)).to.equal(undefined);
    }
  });
});

describe("frames of the engine", () => {
  it("are the same however their bytes arrive", () => {
    const frames = fc.array(
      fc.record({ stream: fc.constantFrom(1, 2), bytes: fc.uint8Array({ maxLength: 40 }) }),
    );
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 20 })), (given, sizes) => {
        const all = Buffer.concat(
          given.flatMap(({ stream, bytes }) => [
            Buffer.from([stream, 0, 0, 0, 0, 0, 0, bytes.length]),
            Buffer.from(bytes),
          ]),
        );
        const splitter = createFrameSplitter();
        const found = [];
        let at = 0;
        for (const size of [...sizes, all.length]) {
          if (at < all.length) found.push(...splitter.take(all.subarray(at, at + size)));
          at += size;
        }
        expect(splitter.isComplete()).to.equal(true);
        expect(found.map(({ stream, bytes }) => [stream, bytes.toString("hex")])).to.deep.equal(
          given.map(({ stream, bytes }) => [
            stream === 2 ? "stderr" : "stdout",
            Buffer.from(bytes).toString("hex"),
          ]),
        );
      }),
    );
  });

  it("are refused when they are too long for a line", () => {
    const head = Buffer.from([1, 0, 0, 0, 0x7f, 0, 0, 0]);
    expect(() => createFrameSplitter().take(head)).to.throw(RangeError);
  });

  it("have times to the nanosecond", () => {
    expect(nanosecondsOf("2026-11-29T16:13:17.000000001Z")).to.equal(1_795_968_797_000_000_001n);
    expect(nanosecondsOf("2026-11-29T17:13:17+01:00")).to.equal(1_795_968_797_000_000_000n);
    expect(() => nanosecondsOf("yesterday")).to.throw(RangeError);
  });
});

describe("paths of requests to a node", () => {
  it("name a lease and a kind, and nothing else", () => {
    expect(parseNodePath("/n/7/0/3/logs?follow=true")).to.deep.equal({
      workspaceId: "7",
      replica: 0,
      lease: 3,
      kind: "logs",
      rest: [],
    });
    expect(parseNodePath("/n/7/0/3/exec/a1/b2")?.rest).to.deep.equal(["a1", "b2"]);
    for (const path of [
      "/w/7/0/3/logs",
      "/n/7/0/logs",
      "/n/7/0/3/../logs",
      "/n/7/0/3/logs/%2e%2e",
      "/n/x/0/3/logs",
    ]) {
      expect(parseNodePath(path)).to.equal(undefined);
    }
    expect(parseRoutedPath("/7/1/logs?cursor=1")).to.deep.equal({
      workspaceId: "7",
      replica: 1,
      path: "/logs?cursor=1",
    });
    for (const url of ["/7/logs", "/7/1/../logs", "/7/1/", "/7/1/Logs"]) {
      expect(parseRoutedPath(url)).to.equal(undefined);
    }
  });
});
