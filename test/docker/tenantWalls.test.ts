import { type Machine, startMachine } from "./tenant/machine.ts";
import { networkAttacks } from "./tenant/networkAttacks.ts";
import { processAttacks } from "./tenant/processAttacks.ts";
import { importHostileImage } from "./tenant/tenants.ts";

describe("a hostile tenant on a real engine", function () {
  this.timeout(300_000);
  let machine: Machine;

  before(async function () {
    // Network namespaces and an engine require root.
    if (process.getuid?.() !== 0) this.skip();
    machine = await startMachine();
    await importHostileImage(machine.docker);
  });
  after(() => machine?.stop());

  describe("on the network", () => networkAttacks(() => machine));
  describe("in its container", () => processAttacks(() => machine));
});
