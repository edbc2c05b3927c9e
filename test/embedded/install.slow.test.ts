import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { ensureProgram } from "../../scripts/embedded/install.ts";

describe("a program that is missing", () => {
  it("and that no package brings is an error that says what to type", async () => {
    const wanted = { program: "no-such-program", packages: ["no-such-package"], print: () => undefined };
    const error = await ensureProgram(wanted).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FatalError);
    expect(error).to.have.property("hint").that.includes("no-such-p");
  }).timeout(120_000);
});
