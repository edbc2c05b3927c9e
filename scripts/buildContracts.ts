// `npm run build:contracts`: compiles the contracts and writes the generated files of the repository.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { writeAbi } from "./abi.ts";
import { keepCompiled } from "./keepCompiled.ts";

const rootDir = join(import.meta.dirname, "..");
const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
const { status } = spawnSync(process.execPath, [hardhat, "build", "--no-tests"], {
  cwd: rootDir,
  stdio: "inherit",
});
if (status === 0) {
  writeAbi(rootDir);
  keepCompiled(rootDir);
}
process.exitCode = status ?? 1;
