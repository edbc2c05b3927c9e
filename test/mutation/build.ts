// Writes the contracts with every fault behind a switch, and the list of the faults.
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkTypes, readSources } from "../../scripts/solidity/ast.ts";
import { rewritten, writeSources } from "../../scripts/solidity/rewrite.ts";
import { type Mutant, schemataOf } from "./schemata.ts";

export const folder = ".ngpu/mutation";

/** Copied beside the contracts with the faults, so that the tests import those. */
export const solidityTests = "test/contracts/solidity";

/** The fault whose number is in the block's coinbase is on. With coinbase 1, every passed switch is recorded. */
const helper = `// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

function isOn(uint256 id) pure returns (bool) {
    return asPure(readSwitch)(id);
}

function readSwitch(uint256 id) view returns (bool) {
    if (block.coinbase == address(1)) {
        assembly ("memory-safe") {
            mstore(0, id)
            pop(staticcall(gas(), 0xc0bEc0BEc0BeC0bEC0beC0bEC0bEC0beC0beC0BE, 0, 32, 0, 0))
        }
        return false;
    }
    return block.coinbase == address(uint160(0x1000000 + id));
}

function asPure(function(uint256) view returns (bool) given) pure returns (function(uint256) pure returns (bool) taken) {
    assembly ("memory-safe") {
        taken := given
    }
}
`;

/**
 * Writes the contracts with the faults, and the Solidity tests beside them. Faults that do not compile are omitted.
 *
 * @returns all faults, by number.
 */
export function buildMutants(rootDir: string): Mutant[] {
  const sources = readSources(rootDir);
  const without = new Set<number>();
  for (;;) {
    const { mutants, files } = schemataOf(sources, without);
    const texts = rewritten(files, { file: "Switch.sol", text: helper, names: ["isOn"] });
    const { errors } = checkTypes(rootDir, texts);
    if (errors.length === 0) {
      writeSources(join(rootDir, folder), texts);
      rmSync(join(rootDir, folder, solidityTests), { recursive: true, force: true });
      cpSync(join(rootDir, solidityTests), join(rootDir, folder, solidityTests), { recursive: true });
      writeFileSync(join(rootDir, folder, "mutants.json"), JSON.stringify(mutants, null, 1));
      return mutants;
    }
    for (const { file, start, message } of errors) {
      const id = Number(/.*isOn\((\d+)\)/s.exec((texts.get(file) ?? "").slice(0, start))?.[1]);
      if (!(id > 0) || without.has(id)) throw new Error(message);
      without.add(id);
    }
  }
}
