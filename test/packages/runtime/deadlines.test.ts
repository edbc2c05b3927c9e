import { deadlinesOf, deadlineVariables } from "@ngpu/runtime/deadlines";
import { readEnv } from "@ngpu/runtime/env";
import { createStuckReports } from "@ngpu/runtime/stuckReports";
import { expect } from "chai";

describe("deadlines from the environment", () => {
  const parts: Record<"start" | "stop", [number, string]> = {
    start: [60, "Seconds that a start may take"],
    stop: [30, "Seconds that a stop may take"],
  };
  const read = (source: Record<string, string>) =>
    deadlinesOf(parts, readEnv(deadlineVariables(parts), source));

  it("have the value of their variable, or their default", () => {
    expect(read({})).to.deep.equal({ start: 60, stop: 30 });
    expect(read({ DEADLINE_STOP_SECONDS: "2.5" })).to.deep.equal({ start: 60, stop: 2.5 });
  });

  it("are rejected with name and description when they are not positive", () => {
    expect(() => read({ DEADLINE_START_SECONDS: "0" })).to.throw(
      /DEADLINE_START_SECONDS .*Seconds that a start may take/,
    );
  });

  it("are rejected under the name that they had without a unit", () => {
    expect(() => read({ DEADLINE_START: "90" })).to.throw(/DEADLINE_START is now DEADLINE_START_SECONDS/);
    expect(read({ DEADLINE_START: "", PLACEMENT_PAUSE: "1" })).to.deep.equal({ start: 60, stop: 30 });
  });
});

describe("reports of stuck items", () => {
  it("are new once for each key", () => {
    const reports = createStuckReports();
    expect(["a", "b", "a", "b"].map(reports.isNew)).to.deep.equal([true, true, false, false]);
  });

  it("remember a limited number and forget the oldest", () => {
    const reports = createStuckReports(2);
    expect(["a", "b", "c", "b", "c", "a"].map(reports.isNew)).to.deep.equal([
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
  });
});
