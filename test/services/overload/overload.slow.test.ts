import { expect } from "chai";
import { runs } from "../../support/runs.ts";
import { limitedAttacks, measureOverload } from "./overload.ts";

/** Most that apiServer's memory may grow under attack, in MiB: the bodies of open requests, and what is made of them. */
const mostGrowthMib = 1_024;

describe("callers that overload the API", function () {
  this.timeout(900_000);

  it("end no call of another, and are refused what exceeds their share", async () => {
    const { failed, attack, memoryMib, quiet, overloaded } = await measureOverload(runs(6, 200));
    process.stdout.write(`      ${JSON.stringify({ quiet, overloaded, memoryMib, attack })}\n`);
    expect(failed).to.deep.equal([]);
    expect(memoryMib.after - memoryMib.before).to.be.lessThan(mostGrowthMib);
    for (const name of limitedAttacks) {
      expect(attack[name]?.["429"], name).to.be.greaterThan(0);
    }
    const statuses = Object.values(attack).flatMap((of) => Object.keys(of));
    expect(statuses.filter((status) => status.startsWith("5") && status !== "503")).to.deep.equal([]);
  });
});
