import { readEnv } from "@ngpu/runtime/env";
import { expect } from "chai";
import { matchVariables } from "../../../services/match/env.ts";
import { pomcVariables } from "../../../services/pomc/env.ts";

const SIGNER_KEY = `0x${"11".repeat(32)}`;

describe("a variable that was renamed", () => {
  it("is rejected with its new name in each program that reads it", () => {
    expect(() => readEnv(pomcVariables, { SIGNER_KEY })).to.throw("SIGNER_KEY is now POSTER_KEY");
    expect(() => readEnv(matchVariables, { SIGNER_KEY })).to.throw("SIGNER_KEY is now RELAYER_KEY");
    const { POSTER_KEY, RECEIPTS_POSTER_KEY } = pomcVariables;
    const keys = { POSTER_KEY, RECEIPTS_POSTER_KEY };
    // Without them, it would post nothing and say nothing.
    const set = { SIGNER_KEY, RECEIPTS_POSTER_KEY: SIGNER_KEY };
    expect(() => readEnv(keys, set)).to.throw("SIGNER_KEY is now POSTER_KEY");
    expect(readEnv(keys, { POSTER_KEY: SIGNER_KEY })).to.deep.equal({ POSTER_KEY: SIGNER_KEY });
  });
});
