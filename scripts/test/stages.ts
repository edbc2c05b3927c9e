import {
  checkEnvExample,
  checkGenerated,
  checkReference,
  checkRooms,
  programCheck,
  runSolidityTests,
} from "./checks.ts";
import type { Stage, StageContext } from "./stage.ts";
import { hardhat, mocha, runTests, type TestRun } from "./tests.ts";

/** Everything that `npm test` runs, in this order. */
export const stages: Stage[] = [
  check("style", programCheck("biome", ["check", "--error-on-warnings", "."])),
  check("types", programCheck("tsc", ["-p", "."])),
  check("unused", programCheck("knip")),
  check("rooms", checkRooms),
  check("environment", checkEnvExample),
  check("reference", checkReference),
  check("generated", checkGenerated),
  tests("contracts", false, {
    files: ["test/contracts/**/*.test.ts"],
    command: hardhat,
    processes: "together",
    env: async () => ({}),
  }),
  { name: "solidity", group: "contracts", slow: false, run: runSolidityTests },
  tests("services", false, {
    files: ["test/**/*.test.ts"],
    not: ["contracts", "docker", "e2e", "chaos", "bench"].map((folder) => `test/${folder}/**`),
    command: mocha,
    processes: "apart",
    env: ({ parts }) => parts.databases(),
  }),
  tests("docker", true, {
    files: ["test/docker/**/*.test.ts"],
    command: mocha,
    processes: "together",
    env: async ({ parts }) => ({ ...(await parts.databases()), ...(await parts.docker()) }),
  }),
  tests("e2e", true, {
    files: ["test/e2e/**/*.test.ts"],
    command: mocha,
    processes: "together",
    env: ({ parts }) => parts.docker(),
  }),
];

function check(name: string, run: Stage["run"]): Stage {
  return { name, group: "check", slow: false, run };
}

function tests(name: string, slow: boolean, run: TestRun): Stage {
  return { name, group: name, slow, run: (context: StageContext) => runTests(run, context) };
}
