import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { ensureProgram } from "../../scripts/embedded/install.ts";

describe("a missing program", () => {
  it("without a package is an error with the command to run", async () => {
    const wanted = { program: "no-such-program", packages: ["no-such-package"], print: () => undefined };
    const error = await ensureProgram(wanted).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FatalError);
    expect(error).to.have.property("hint").that.includes("no-such-p");
  }).timeout(120_000);
});
