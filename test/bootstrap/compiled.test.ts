import { appendFileSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifactNames } from "@ngpu/contracts/ignition/constructors";
import { expect } from "chai";
import { COMPILED, isCompiled } from "../../scripts/bootstrap/compiled.mjs";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

/** Copies the files that decide whether a checkout compiles into another directory. */
function copyOfCheckout() {
  const dir = temporaryDir();
  cpSync(join(rootDir, "contracts"), join(dir.path, "contracts"), { recursive: true });
  cpSync(join(rootDir, "package-lock.json"), join(dir.path, "package-lock.json"));
  return dir;
}

describe("stored contracts", () => {
  it("match the sources", () => {
    expect(isCompiled(rootDir), "contracts/compiled is stale: npm run build:contracts").to.equal(true);
  });

  it("include every deployed contract, and no path of the machine that compiled them", () => {
    for (const name of artifactNames) {
      const text = readFileSync(join(rootDir, COMPILED, `contracts/${name}.sol/${name}.json`), "utf8");
      expect(JSON.parse(text).bytecode, name).to.match(/^0x[0-9a-f]{1000,}$/);
      expect(text).not.to.include(rootDir);
    }
  });

  it("are valid in a copy of the checkout", () => {
    using dir = copyOfCheckout();
    expect(isCompiled(dir.path)).to.equal(true);
  });

  for (const file of ["contracts/libraries/Accounts.sol", "contracts/compiler.json"]) {
    it(`are not used after a change of ${file}`, () => {
      using dir = copyOfCheckout();
      appendFileSync(join(dir.path, file), " ");
      expect(isCompiled(dir.path)).to.equal(false);
    });
  }

  it("are not used with another version of a package that they are compiled from or with", () => {
    for (const name of ["@openzeppelin/contracts", "solc"]) {
      using dir = copyOfCheckout();
      const file = join(dir.path, "package-lock.json");
      const lock = JSON.parse(readFileSync(file, "utf8"));
      lock.packages[`node_modules/${name}`].version = "0.0.1";
      writeFileSync(file, JSON.stringify(lock));
      expect(isCompiled(dir.path), name).to.equal(false);
    }
  });
});
