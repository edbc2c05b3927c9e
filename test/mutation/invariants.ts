// `npm run mutate:invariants`: each Solidity test must fail under a fault of what it watches.
import { join } from "node:path";
import { runToEnd } from "../../scripts/embedded/command.ts";
import { buildMutants } from "./build.ts";
import { mutantsOf, seeded } from "./faults.ts";

const rootDir = join(import.meta.dirname, "../..");
const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
const only = process.argv[2];
// What was built before is built again only where it changed.
const mutants = buildMutants(rootDir);
let blind = 0;

for (const fault of seeded.filter(({ test }) => test === (only ?? test))) {
  let found = "";
  for (const { id, line } of mutantsOf(fault, mutants)) {
    const { output } = await runToEnd(process.execPath, [hardhat, "test", "solidity", "--grep", fault.test], {
      cwd: rootDir,
      env: {
        ...process.env,
        NGPU_FAULT: String(id),
        HARDHAT_CONFIG: join(import.meta.dirname, "invariants.config.ts"),
      },
    });
    if (!/Running Solidity tests/.test(output)) throw new Error(output);
    found ||= /\d+\) .*#/.test(output) ? `contracts/${fault.file}:${line}` : "";
    if (found !== "") break;
  }
  if (found === "") blind += 1;
  const what = fault.now === "" ? `without ${fault.was}` : `${fault.was} → ${fault.now}`;
  process.stdout.write(`${found === "" ? "✘ misses" : "✔ finds"} ${fault.test}: ${what} ${found}\n`);
}
process.exitCode = blind === 0 ? 0 : 1;
