import { PassThrough } from "node:stream";
import { RetryableError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { Abandoned, runConcurrently } from "../../../scripts/start/allOrNothing.ts";
import { journeyStep, untilDone } from "../../../scripts/start/journey/step.ts";
import type { Market } from "../../../scripts/start/market.ts";
import { createReporter, StepFailure } from "../../../scripts/start/reporter.ts";
import { persist, waitFor } from "../../../scripts/start/waitFor.ts";

const { signal } = new AbortController();
const waiting = { signal, logsDir: "/logs", everyMs: 1 };
const quiet = () => undefined;

/** A step that can be late, with its reported reasons. */
function lateStep() {
  const reasons: string[] = [];
  return {
    reasons,
    progress: Object.assign(() => undefined, { late: (reason: string) => reasons.push(reason) }),
  };
}

describe("a wait", () => {
  it("fails after its deadline, with what it waited for and the last state", async () => {
    const describeState = async () => "round 3 is open";
    const options = { ...waiting, seconds: 0, progress: quiet, describeState };
    const error = await waitFor("a measurement", async () => undefined, options).catch((thrown) => thrown);
    expect(error.code).to.equal("wait_timeout");
    expect(error.message).to.match(
      /^Timed out waiting for a measurement after \d+ s.*\. Last seen: round 3 is open\.$/,
    );
    expect(error.hint).to.include("/logs");
  });

  it("includes the error of the last attempt", async () => {
    const ask = async () => {
      throw new Error("the database restarts");
    };
    const error = await waitFor("a row", ask, { ...waiting, seconds: 0, progress: quiet }).catch((e) => e);
    expect(error.message).to.include("Last seen: the database restarts.");
  });

  it("continues after its deadline if the step can be late, and reports what it waits for", async () => {
    const { reasons, progress } = lateStep();
    const ask = async () => (reasons.length > 0 ? "there" : undefined);
    const describeState = async () => "the measurer is connected";
    expect(await waitFor("a measurement", ask, { ...waiting, seconds: 0, progress, describeState })).to.equal(
      "there",
    );
    expect(reasons[0]).to.equal("waiting for a measurement: the measurer is connected");
  });

  it("treats an error as no result yet", async () => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
      if (asked < 3)
        throw new RetryableError("not now", { code: "database_unreachable", hint: "Try again." });
      return asked;
    };
    expect(await waitFor("a row", ask, { ...waiting, seconds: 60, progress: quiet })).to.equal(3);
  });

  it("ends immediately when it is aborted, late or not", async () => {
    const abort = new AbortController();
    const { progress } = lateStep();
    const options = { ...waiting, signal: abort.signal, seconds: 0, progress };
    const waited = waitFor("a row", async () => undefined, options).catch((thrown: unknown) => thrown);
    abort.abort(new Error("Interrupted."));
    expect(String(await waited)).to.match(/Interrupted|abort/i);
  });
});

describe("retried work", () => {
  it("is repeated after growing pauses, each with its reason", async () => {
    const { reasons, progress } = lateStep();
    const rests: number[] = [];
    const rest = async (ms: number) => {
      rests.push(ms);
    };
    const work = async () => {
      if (rests.length < 7)
        throw new RetryableError("No replica runs.\nMore.", {
          code: "replica_unavailable",
          hint: "Try again.",
        });
      return "answer";
    };
    expect(await persist(work, { signal, progress, rest })).to.equal("answer");
    expect(rests).to.deep.equal([1, 2, 4, 8, 16, 30, 30].map((seconds) => seconds * 1_000));
    expect(reasons[0]).to.equal("No replica runs; retried in 1 s");
  });

  it("is not repeated after a programming error", async () => {
    const { progress } = lateStep();
    const work = async () => {
      throw new TypeError("undefined is not a function");
    };
    const error = await persist(work, { signal, progress }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(TypeError);
  });

  it("is not repeated once it has succeeded", async () => {
    let times = 0;
    const work = untilDone(async () => {
      times += 1;
      if (times === 1) throw new Error("refused");
      return times;
    });
    await work().catch(() => undefined);
    expect([await work(), await work()]).to.deep.equal([2, 2]);
  });
});

describe("a step of the journey", () => {
  const market = (once: boolean) => {
    const lines: string[] = [];
    const out = new PassThrough({ encoding: "utf8" }).on("data", (text: string) => lines.push(text));
    const reporter = createReporter(out as unknown as NodeJS.WriteStream, () => signal);
    return { lines, given: { reporter, signal, options: { once } } as unknown as Market };
  };

  it("is shown as late with its reason if the market stays up, and then as done", async () => {
    const { lines, given } = market(false);
    let tries = 0;
    const work = async () => {
      tries += 1;
      if (tries === 1)
        throw new RetryableError("No node is online.", { code: "replica_unavailable", hint: "Try again." });
      return 7;
    };
    expect(await journeyStep(given, ["run", "The container starts"], work, (n) => `lease ${n}`)).to.equal(7);
    expect(lines[0]).to.match(/^! The container starts .*late: No node is online; retried in 1 s\n$/);
    expect(lines[1]).to.match(/^✓ The container starts .*lease 7\n$/);
  });

  it("fails with its name with --once", async () => {
    const { given } = market(true);
    const work = async () => {
      throw new RetryableError("No node is online.", { code: "replica_unavailable", hint: "Try again." });
    };
    const error = await journeyStep(given, ["run", "The container starts"], work, String).catch((e) => e);
    expect(error).to.be.instanceOf(StepFailure);
    expect(error.step).to.equal("run");
  });
});

describe("concurrent work", () => {
  it("cancels the rest at the first failure, and throws that failure", async () => {
    const reasons: unknown[] = [];
    const slow = (begun: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        begun.addEventListener("abort", () => {
          reasons.push(begun.reason);
          reject(begun.reason);
        });
      });
    const failing = async () => {
      throw new Error("first");
    };
    const error = await runConcurrently(signal, (begun) => [slow(begun), failing()]).catch(
      (thrown) => thrown,
    );
    expect(error.message).to.equal("first");
    expect(reasons[0]).to.be.instanceOf(Abandoned);
  });
});
