import { expect } from "chai";
import fc from "fast-check";
import { type AttemptError, attemptErrors, decideNext } from "../../../services/webhooks/decide.ts";

const rules = { first: 5, longest: 21_600 };
const base = { attempt: 1, failures: 0, remaining: 72 * 3_600, jitter: 0.5, rules };
const failed = { httpStatus: 500, error: "status_not_2xx" as const };

describe("webhooks: what follows an attempt", () => {
  it("doubles the pauses between attempts up to six hours, for 72 hours", () => {
    let [attempt, remaining] = [0, 72 * 3_600];
    const pauses: number[] = [];
    for (;;) {
      const next = decideNext(failed, { ...base, attempt: ++attempt, remaining });
      if (next.status === "failed") break;
      pauses.push(next.retryIn);
      remaining -= next.retryIn;
    }
    expect(pauses.slice(0, 4)).to.deep.equal([5, 10, 20, 40]);
    expect(Math.max(...pauses)).to.equal(21_600);
    expect(pauses.reduce((sum, each) => sum + each, 0)).to.equal(72 * 3_600);
    expect(attempt).to.be.within(20, 40);
  });

  it("pauses an endpoint from its third failure in a row on, for at most five minutes", () => {
    const pauseAfter = (failures: number) => decideNext(failed, { ...base, failures }).resumeIn;
    expect([0, 1, 2, 3, 4].map(pauseAfter)).to.deep.equal([0, 0, 5, 10, 20]);
    expect(pauseAfter(10_000)).to.equal(300);
  });

  it("ends with the first success, and with it alone before the expiry", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 0, max: 1_000 }),
        fc.double({ min: 0.01, max: 300_000, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(undefined, ...(Object.keys(attemptErrors) as AttemptError[])),
        (attempt, failures, remaining, jitter, error) => {
          const next = decideNext(
            { httpStatus: undefined, error },
            { attempt, failures, remaining, jitter, rules },
          );
          expect(next.status).to.equal(error === undefined ? "delivered" : "pending");
          expect(next.retryIn).to.be.within(0, remaining);
          expect(next.resumeIn).to.be.within(0, 300);
        },
      ),
    );
  });

  it("disables an endpoint that answers 410", () => {
    expect(decideNext({ httpStatus: 410, error: "status_not_2xx" }, base).disables).to.equal(true);
    expect(decideNext(failed, base).disables).to.equal(false);
  });
});
