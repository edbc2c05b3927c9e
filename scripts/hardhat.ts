// Hardhat for deployments: connected to a chain, with compiled contracts and no compiler.
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import ignition from "@nomicfoundation/hardhat-ignition-viem";
import viem from "@nomicfoundation/hardhat-viem";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";
import type { NetworkConnection } from "hardhat/types/network";
import { COMPILED, isCompiled } from "./bootstrap/compiled.mjs";
import { runToEnd } from "./embedded/command.ts";

/**
 * Connects Hardhat to a chain. It uses the compiled contracts of the repository, and compiles the sources first if
 * they differ.
 *
 * @param options.accounts Private keys that may send, or `remote` for the accounts of the endpoint.
 * @param options.journal Directory of Ignition's journal.
 * @throws FatalError `contracts_not_compiled` when the contracts do not compile.
 */
export async function connectHardhat(options: {
  rootDir: string;
  url: string;
  accounts: string[] | "remote";
  journal: string;
}): Promise<{ hre: HardhatRuntimeEnvironment; connection: NetworkConnection<"op"> }> {
  const { rootDir, url, accounts, journal } = options;
  const artifacts = await compiledFolder(rootDir);
  const hre = await createHardhatRuntimeEnvironment(
    {
      plugins: [viem, ignition],
      paths: { artifacts, ignition: journal },
      networks: { target: { type: "http", chainType: "op", url, accounts } },
    },
    {},
    rootDir,
  );
  return { hre, connection: await hre.network.create({ network: "target", chainType: "op" }) };
}

/** The directory with the artifacts of the current sources. */
async function compiledFolder(rootDir: string): Promise<string> {
  if (isCompiled(rootDir)) return join(rootDir, COMPILED);
  const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
  const { code, output } = await runToEnd(process.execPath, [hardhat, "build", "--no-tests", "--quiet"], {
    cwd: rootDir,
  });
  if (code !== 0) {
    throw new FatalError(`The contracts do not compile:\n${output.trim()}`, {
      code: "contracts_not_compiled",
      hint: "Correct the errors of the compiler.",
    });
  }
  return join(rootDir, "artifacts");
}
