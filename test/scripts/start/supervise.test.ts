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

describe("what follows the end of a part", () => {
  it("waits twice as long each time, and a minute from the fifth end in a row on", () => {
    let life = begun(0);
    const delays = [];
    for (let end = 0; end < 7; end++) {
      const verdict = failed(life, 1_000);
      delays.push(verdict.delayMs);
      life = recovered(verdict.life, 1_000);
    }
    expect(delays).to.deep.equal([500, 1_000, 2_000, 4_000, SLOW_DELAY_MS, SLOW_DELAY_MS, SLOW_DELAY_MS]);
  });

  it("gives up once in a row", () => {
    let life = begun(0);
    const given = [];
    for (let end = 0; end < 7; end++) {
      const verdict = failed(life, 1_000);
      given.push(verdict.givesUp);
      ({ life } = verdict);
    }
    expect(given).to.deep.equal([false, false, false, false, true, false, false]);
  });

  it("forgets earlier ends after a minute of health, not before", () => {
    const once = recovered(failed(begun(0), 0).life, 0);
    expect(failed(once, STEADY_MS - 1).life.failures).to.equal(2);
    expect(failed(once, STEADY_MS).life.failures).to.equal(1);
  });
});

/** A part whose processes end when the test says so, on a clock that only waits move. */
function setup(
  options: { startFails?: (time: number) => boolean; onGiveUp?: (fault: FatalError) => void } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "ngpu-supervise-"));
  const logFile = join(folder, "part.log");
  writeFileSync(logFile, "no such disk\n");
  const said: string[] = [];
  const market = new AbortController();
  const lives: { end: (exit: Exit) => void; stopped: boolean }[] = [];
  let now = 0;
  let starts = 0;
  let heard = Promise.withResolvers<void>();
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
      said.push(line);
      heard.resolve();
      heard = Promise.withResolvers();
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
    said,
    lives,
    market,
    begin: () => supervise(supervision, "match", start),
    next: () => heard.promise,
    starts: () => starts,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

describe("a supervised part", () => {
  it("is started again when it ends by itself, which is said in one line", async () => {
    const part = setup();
    const stop = await part.begin();
    const heard = part.next();
    part.lives[0]?.end({ code: 1, signal: null });
    await heard;
    expect(part.said).to.deep.equal(["match ended (exit code 1); restarted, healthy again after 0.5 s"]);
    await stop();
    expect(part.lives.map(({ stopped }) => stopped)).to.deep.equal([false, true]);
    part.remove();
  });

  it("is tried again when it does not start", async () => {
    const part = setup({ startFails: (time) => time === 2 || time === 3 });
    const stop = await part.begin();
    const heard = part.next();
    part.lives[0]?.end({ code: null, signal: "SIGKILL" });
    await heard;
    expect(part.said).to.deep.equal([
      "match ended (killed by SIGKILL); restarted, healthy again after 3.5 s",
    ]);
    expect(part.starts()).to.equal(4);
    await stop();
    part.remove();
  });

  it("throws what keeps it from starting the first time", async () => {
    const part = setup({ startFails: () => true });
    const error = await part.begin().catch((thrown: unknown) => thrown);
    expect(String(error)).to.include("it is not ready");
    part.remove();
  });

  it("is shown as down with the end of its log when it keeps ending, and still comes back", async () => {
    const part = setup({ startFails: (time) => time > 1 && time < 8 });
    const stop = await part.begin();
    const ends = part.next();
    part.lives[0]?.end({ code: 1, signal: null });
    await ends;
    while (part.said.length < 3) await part.next();
    expect(part.said[0]).to.match(/^match is down\. .*5 times in a row.*no such disk$/s);
    expect(part.said[1]).to.include("part.log").and.to.include("every 60 s");
    expect(part.said[2]).to.include("restarted, healthy again");
    await stop();
    part.remove();
  });

  it("ends the market when it keeps ending where it was asked to", async () => {
    const given = Promise.withResolvers<FatalError>();
    const part = setup({ startFails: (time) => time > 1, onGiveUp: given.resolve });
    const stop = await part.begin();
    part.lives[0]?.end({ code: 1, signal: null });
    const fault = await given.promise;
    expect(fault.code).to.equal("part_keeps_ending");
    expect(fault.message).to.include("no such disk");
    part.market.abort();
    await stop();
    part.remove();
  });

  it("is not started again while the market stops", async () => {
    const part = setup();
    const stop = await part.begin();
    part.market.abort();
    part.lives[0]?.end({ code: 0, signal: null });
    await stop();
    expect(part.starts()).to.equal(1);
    expect(part.said).to.deep.equal([]);
    part.remove();
  });
});
