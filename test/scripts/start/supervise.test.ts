import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import type { Exit } from "../../../scripts/embedded/processLog.ts";
import {
  begun,
  failed,
  recovered,
  SLOW_DELAY_MS,
  STEADY_MS,
} from "../../../scripts/start/supervise/decide.ts";
import { type Running, supervise } from "../../../scripts/start/supervise/supervisor.ts";

describe("the restart policy", () => {
  it("doubles the delay each time, and waits a minute from the fifth failure in a row on", () => {
    let life = begun(0);
    const delays = [];
    for (let end = 0; end < 7; end++) {
      const verdict = failed(life, 1_000);
      delays.push(verdict.delayMs);
      life = recovered(verdict.life, 1_000);
    }
    expect(delays).to.deep.equal([500, 1_000, 2_000, 4_000, SLOW_DELAY_MS, SLOW_DELAY_MS, SLOW_DELAY_MS]);
  });

  it("gives up once in a row of failures", () => {
    let life = begun(0);
    const gaveUp = [];
    for (let end = 0; end < 7; end++) {
      const verdict = failed(life, 1_000);
      gaveUp.push(verdict.givesUp);
      ({ life } = verdict);
    }
    expect(gaveUp).to.deep.equal([false, false, false, false, true, false, false]);
  });

  it("forgets earlier failures after a minute of health, not before", () => {
    const once = recovered(failed(begun(0), 0).life, 0);
    expect(failed(once, STEADY_MS - 1).life.failures).to.equal(2);
    expect(failed(once, STEADY_MS).life.failures).to.equal(1);
  });
});

/** A part whose processes end when the test ends them, on a clock that only sleeping advances. */
function setup(
  options: { startFails?: (time: number) => boolean; onGiveUp?: (failure: FatalError) => void } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "ngpu-supervise-"));
  const logFile = join(folder, "part.log");
  writeFileSync(logFile, "no such disk\n");
  const lines: string[] = [];
  const market = new AbortController();
  const lives: { end: (exit: Exit) => void; stopped: boolean }[] = [];
  let now = 0;
  let starts = 0;
  let printed = Promise.withResolvers<void>();
  const start = async (): Promise<Running> => {
    starts += 1;
    if (options.startFails?.(starts)) throw new Error("it is not ready");
    const exited = Promise.withResolvers<Exit>();
    const life = { end: exited.resolve, stopped: false };
    lives.push(life);
    const stop = async () => {
      life.stopped = true;
      exited.resolve({ code: 0, signal: null });
    };
    return { exited: exited.promise, logFile, stop };
  };
  const supervision = {
    print: (line: string) => {
      lines.push(line);
      printed.resolve();
      printed = Promise.withResolvers();
    },
    signal: market.signal,
    ...(options.onGiveUp ? { onGiveUp: options.onGiveUp } : {}),
    clock: {
      now: () => now,
      sleep: async (ms: number) => {
        now += ms;
      },
    },
  };
  return {
    lines,
    lives,
    market,
    begin: () => supervise(supervision, "match", start),
    next: () => printed.promise,
    starts: () => starts,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

describe("a supervised part", () => {
  it("is restarted when it ends by itself, with one line of output", async () => {
    const part = setup();
    const stop = await part.begin();
    const printed = part.next();
    part.lives[0]?.end({ code: 1, signal: null });
    await printed;
    expect(part.lines).to.deep.equal(["match ended (exit code 1); restarted, healthy again after 0.5 s"]);
    await stop();
    expect(part.lives.map(({ stopped }) => stopped)).to.deep.equal([false, true]);
    part.remove();
  });

  it("is retried when it does not start", async () => {
    const part = setup({ startFails: (time) => time === 2 || time === 3 });
    const stop = await part.begin();
    const printed = part.next();
    part.lives[0]?.end({ code: null, signal: "SIGKILL" });
    await printed;
    expect(part.lines).to.deep.equal([
      "match ended (killed by SIGKILL); restarted, healthy again after 3.5 s",
    ]);
    expect(part.starts()).to.equal(4);
    await stop();
    part.remove();
  });

  it("throws the error of its first start", async () => {
    const part = setup({ startFails: () => true });
    const error = await part.begin().catch((thrown: unknown) => thrown);
    expect(String(error)).to.include("it is not ready");
    part.remove();
  });

  it("is reported as down with the end of its log when it keeps ending, and is still restarted", async () => {
    const part = setup({ startFails: (time) => time > 1 && time < 8 });
    const stop = await part.begin();
    const ends = part.next();
    part.lives[0]?.end({ code: 1, signal: null });
    await ends;
    while (part.lines.length < 3) await part.next();
    expect(part.lines[0]).to.match(/^match is down\. .*5 times in a row.*no such disk$/s);
    expect(part.lines[1]).to.include("part.log").and.to.include("every 60 s");
    expect(part.lines[2]).to.include("restarted, healthy again");
    await stop();
    part.remove();
  });

  it("ends the market with onGiveUp when it keeps ending", async () => {
    const given = Promise.withResolvers<FatalError>();
    const part = setup({ startFails: (time) => time > 1, onGiveUp: given.resolve });
    const stop = await part.begin();
    part.lives[0]?.end({ code: 1, signal: null });
    const failure = await given.promise;
    expect(failure.code).to.equal("part_crash_looping");
    expect(failure.message).to.include("no such disk");
    part.market.abort();
    await stop();
    part.remove();
  });

  it("is not restarted while the market stops", async () => {
    const part = setup();
    const stop = await part.begin();
    part.market.abort();
    part.lives[0]?.end({ code: 0, signal: null });
    await stop();
    expect(part.starts()).to.equal(1);
    expect(part.lines).to.deep.equal([]);
    part.remove();
  });
});
