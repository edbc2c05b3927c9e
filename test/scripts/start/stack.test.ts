import { expect } from "chai";
import { createStopStack } from "../../../scripts/start/stack.ts";

/** Parts that record when they begin and when they end to stop. */
function recorder() {
  const events: string[] = [];
  const stop = (name: string) => async () => {
    events.push(`${name}…`);
    await new Promise((resolve) => setImmediate(resolve));
    events.push(name);
  };
  return { events, stop };
}

describe("the parts to stop", () => {
  it("stop in reverse order, those of a group together", async () => {
    const { events, stop } = recorder();
    const stack = createStopStack();
    stack.push("chain", stop("chain"), "parts");
    stack.push("postgres", stop("postgres"), "parts");
    stack.push("database", stop("database"));
    stack.push("containers", stop("containers"));
    stack.push("match", stop("match"), "services");
    stack.push("pomc", stop("pomc"), "services");
    const shown: string[] = [];
    expect(await stack.stopAll((name) => shown.push(name))).to.deep.equal([]);
    expect(shown).to.deep.equal(["pomc, match", "containers", "database", "postgres, chain"]);
    expect(events).to.deep.equal([
      "pomc…",
      "match…",
      "pomc",
      "match",
      "containers…",
      "containers",
      "database…",
      "database",
      "postgres…",
      "chain…",
      "postgres",
      "chain",
    ]);
    expect(stack.isEmpty()).to.equal(true);
  });

  it("stop also when others of their group or after them do not", async () => {
    const { events, stop } = recorder();
    const stack = createStopStack();
    const fails = async () => {
      throw new Error("it hangs");
    };
    stack.push("chain", stop("chain"), "parts");
    stack.push("match", fails, "services");
    stack.push("pomc", stop("pomc"), "services");
    const errors = await stack.stopAll(() => undefined);
    expect(errors).to.deep.equal(["match did not stop cleanly: it hangs"]);
    expect(events).to.include.members(["pomc", "chain"]);
  });
});
