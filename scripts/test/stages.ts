import { globSync } from "node:fs";
import {
  checkApiClient,
  checkEnvExample,
  checkGenerated,
  checkImports,
  checkReference,
  programCheck,
  runSolidityTests,
} from "./checks.ts";
import { checkConsole } from "./console.ts";
import type { Stage, StageContext } from "./stage.ts";
import { hardhat, mocha, runTests, type TestRun } from "./tests.ts";
import { unitFiles } from "./unit.ts";

// Directories of test/ whose files are neither unit nor service tests.
const APART = ["contracts", "docker", "e2e", "chaos", "bench"].map((folder) => `test/${folder}/**`);

/** Service tests that take minutes, the longest first: the others fill the rest of the time of all workers. */
const LONGEST = [
  "test/services/match/waves/waves.slow.test.ts",
  "test/services/values/chainValues.test.ts",
  "test/services/orders/random.test.ts",
  "test/services/orders/orders.test.ts",
  "test/services/match/placement.slow.test.ts",
  "test/services/apiServer/mutatedRequests.slow.test.ts",
  "test/services/match/sessions.test.ts",
  "test/services/reasonTimes/reasonTimes.slow.test.ts",
  "test/console/console.test.ts",
  "test/services/pomc/close.test.ts",
  "test/cli/partner.test.ts",
];

const isSlow = (file: string) => file.endsWith(".slow.test.ts");

const lintContracts = [
  "--disc",
  "--config",
  "contracts/solhint.config.cjs",
  "--max-warnings",
  "0",
  "contracts/**/*.sol",
];

/** All stages of `npm test`, in this order; those beside the others in the same order among themselves. */
export const stages: Stage[] = [
  check("style", programCheck("biome", ["check", "--error-on-warnings", "."])),
  check("contract-style", programCheck("solhint", lintContracts)),
  check("types", programCheck("tsc", ["-p", "."])),
  check("console-types", programCheck("tsc", ["-p", "console"])),
  check("unused", programCheck("knip")),
  check("imports", checkImports),
  check("environment", checkEnvExample),
  check("reference", checkReference),
  check("api-client", checkApiClient),
  check("console", checkConsole),
  { ...check("generated", checkGenerated), beside: true },
  tests("unit", false, {
    files: (rootDir) => unitFiles(rootDir, otherFiles(rootDir)),
    command: mocha,
    processes: "together",
    env: async () => ({ NGPU_TEST_STAGE: "unit" }),
  }),
  {
    ...tests("contracts", false, {
      files: filesOf("test/contracts/**/*.test.ts"),
      command: hardhat,
      processes: "together",
      env: async () => ({}),
    }),
    beside: true,
  },
  {
    name: "solidity",
    group: "contracts",
    slow: false,
    beside: true,
    files: filesOf("test/contracts/solidity/*.sol"),
    run: runSolidityTests,
  },
  tests("services", false, {
    files: serviceFiles,
    command: mocha,
    processes: "apart",
    // Of the others some measure or change their process, such as its pace.
    shares: (file) => /^test\/(services|cli|docs)\//.test(file) && !LONGEST.includes(file) && !isSlow(file),
    env: ({ parts }) => parts.databases(),
    workerEnv: ({ parts }) => parts.chain(),
  }),
  {
    ...tests("docker", true, {
      files: filesOf("test/docker/**/*.test.ts"),
      command: mocha,
      processes: "together",
      env: async ({ parts }) => ({ ...(await parts.databases()), ...(await parts.docker()) }),
    }),
    beside: true,
  },
  {
    ...tests("e2e", true, {
      files: filesOf("test/e2e/**/*.test.ts"),
      command: mocha,
      processes: "together",
      env: ({ parts }) => parts.docker(),
    }),
    beside: true,
  },
];

function check(name: string, run: Stage["run"]): Stage {
  return { name, group: "check", slow: false, run };
}

function tests(name: string, slow: boolean, run: TestRun): Stage {
  const { files } = run;
  return { name, group: name, slow, files, run: (context: StageContext) => runTests(run, context) };
}

function filesOf(glob: string): (rootDir: string) => string[] {
  return (rootDir) => globSync(glob, { cwd: rootDir }).sort();
}

function otherFiles(rootDir: string): string[] {
  return globSync("test/**/*.test.ts", { cwd: rootDir, exclude: APART }).sort();
}

function serviceFiles(rootDir: string): string[] {
  const files = otherFiles(rootDir);
  const units = new Set(unitFiles(rootDir, files));
  const services = files.filter((file) => !units.has(file));
  // The slow ones first, so that no worker begins one when the others have nothing left.
  const {
    longest = [],
    slow = [],
    quick = [],
  } = Object.groupBy(services, (file) =>
    LONGEST.includes(file) ? "longest" : file.endsWith(".slow.test.ts") ? "slow" : "quick",
  );
  return [...longest.sort((a, b) => LONGEST.indexOf(a) - LONGEST.indexOf(b)), ...slow, ...quick];
}
