import { existsSync } from "node:fs";
import { join } from "node:path";
import ignition from "@nomicfoundation/hardhat-ignition-viem";
import networkHelpers from "@nomicfoundation/hardhat-network-helpers";
import viem from "@nomicfoundation/hardhat-viem";
import { network } from "hardhat";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import type { NetworkConnection } from "hardhat/types/network";
import { COMPILED, isCompiled } from "../../../scripts/bootstrap/compiled.mjs";
import { isGasReal } from "./gas.ts";

const rootDir = join(import.meta.dirname, "../../..");

let connection: Promise<NetworkConnection<"op">> | undefined;

/** The OP-stack simulation of this process: created once, since fixtures are snapshots of it. */
export function opChain(): Promise<NetworkConnection<"op">> {
  connection ??= connect();
  return connection;
}

/**
 * Hardhat's tests have compiled before, and tests of changed contracts have these. A program that runs without them uses the
 * stored contracts.
 */
async function connect(): Promise<NetworkConnection<"op">> {
  const target = { network: "default", chainType: "op" } as const;
  const hasOwn = !isGasReal || existsSync(join(rootDir, "artifacts/contracts"));
  if (hasOwn || !isCompiled(rootDir)) return network.create(target);
  const artifacts = join(rootDir, COMPILED);
  const plugins = [viem, ignition, networkHelpers];
  const hre = await createHardhatRuntimeEnvironment({ plugins, paths: { artifacts } }, {}, rootDir);
  return hre.network.create(target);
}
