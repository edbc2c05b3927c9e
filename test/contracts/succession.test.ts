import { readFileSync } from "node:fs";
import { constructorArguments, contractNames } from "@ngpu/contracts/ignition/constructors";
import { type NgpuParameters, parseParameters } from "@ngpu/contracts/ignition/parameters";
import { parametersKept, type Succession, successions } from "@ngpu/contracts/ignition/successionParameters";
import { expect } from "chai";

const network = new URL("../../contracts/ignition/networks/op-sepolia.json", import.meta.url);
const parameters = parseParameters(JSON.parse(readFileSync(network, "utf8")).parameters);

/** Parameters of all contracts that no generation changes, and those that a succession sets itself. */
const fixed = ["genesis", "epochSeconds", "before"];

/** The parameters with another value for each number. */
function allChanged(): NgpuParameters {
  const other = (value: unknown) => {
    if (typeof value === "number") return value + 1;
    if (typeof value === "bigint") return value + 1n;
    return typeof value === "boolean" ? !value : value;
  };
  const changed = Object.entries(parameters).map(([name, value]) => [
    name,
    fixed.includes(name) ? value : other(value),
  ]);
  return Object.fromEntries(changed);
}

describe("Parameters of a succession", () => {
  const at = Object.fromEntries(contractNames.map((name) => [name, name])) as Record<
    (typeof contractNames)[number],
    string
  >;

  for (const succession of Object.keys(successions) as Succession[]) {
    it(`are those of the contracts that stay when ${succession} is replaced`, () => {
      const next = { ...allChanged(), ...parametersKept(succession, parameters) };
      const replaced: readonly string[] = successions[succession];
      for (const name of contractNames) {
        const of = (given: NgpuParameters) => constructorArguments(name, given, at, "deployer");
        if (replaced.includes(name)) continue;
        expect(of(next), name).to.deep.equal(of(parameters));
      }
    });
  }
});
