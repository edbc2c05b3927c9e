import { InputError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { mergeRange, replicasOf } from "../../cli/workspaces/replicas.ts";

describe("the number of replicas on a command line", () => {
  it("is a number, or a range with its options", () => {
    expect(replicasOf("3", {})).to.equal(3);
    expect(replicasOf("0..4", {})).to.deep.equal({ min: 0, max: 4 });
    const options = { target: "8", idle: "5m", wait: "30s", stopAt: "2030-01-01T00:00:00Z" };
    expect(replicasOf("1..4", options)).to.deep.equal({
      min: 1,
      max: 4,
      target: 8,
      idleSeconds: 300,
      waitSeconds: 30,
      stopAt: "2030-01-01T00:00:00Z",
    });
  });

  it("changes only what the command states of a range", () => {
    const present = { min: 0, max: 4, target: 8, idleSeconds: 60, waitSeconds: 30 };
    const stopAt = "2030-01-01T00:00:00Z";
    const shown = { ...present, stopAt, replicas: null, refusal: null };
    expect(mergeRange({ min: 0, max: 8 }, shown)).to.deep.equal({ ...present, max: 8, stopAt });
    expect(mergeRange({ min: 1, max: 2, target: 3 }, present)).to.deep.equal({
      ...present,
      min: 1,
      max: 2,
      target: 3,
    });
    expect(mergeRange({ min: 0, max: 8 }, null)).to.deep.equal({ min: 0, max: 8 });
  });

  it("is refused in another form, and with options that belong to a range", () => {
    const codeOf = (text: string, options = {}) => {
      try {
        return replicasOf(text, options);
      } catch (error) {
        return error instanceof InputError ? error.code : error;
      }
    };
    for (const text of ["0", "-1", "1.5", "..4", "0..", "many"])
      expect(codeOf(text)).to.equal("option_invalid");
    expect(codeOf("3", { idle: "5m" })).to.equal("option_invalid");
  });
});
