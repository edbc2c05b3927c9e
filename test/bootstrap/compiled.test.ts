import { appendFileSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifactOf, contractNames } from "@ngpu/contracts/ignition/constructors";
import { expect } from "chai";
import { COMPILED, isCompiled } from "../../scripts/bootstrap/compiled.mjs";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

/** What decides whether a checkout compiles, in another folder. */
function copyOfCheckout() {
  const dir = temporaryDir();
  cpSync(join(rootDir, "contracts"), join(dir.path, "contracts"), { recursive: true });
  cpSync(join(rootDir, "package-lock.json"), join(dir.path, "package-lock.json"));
  return dir;
}

describe("kept contracts", () => {
  it("are those of the sources", () => {
    expect(isCompiled(rootDir), "contracts/compiled is stale: npm run build:contracts").to.equal(true);
  });

  it("hold every contract that is deployed, and no path of the machine they were compiled on", () => {
    for (const name of contractNames.map(artifactOf)) {
      const text = readFileSync(join(rootDir, COMPILED, `contracts/${name}.sol/${name}.json`), "utf8");
      expect(JSON.parse(text).bytecode, name).to.match(/^0x[0-9a-f]{1000,}$/);
      expect(text).not.to.include(rootDir);
    }
  });

  it("serve a copy of the checkout too", () => {
    using dir = copyOfCheckout();
    expect(isCompiled(dir.path)).to.equal(true);
  });

  for (const file of ["contracts/libraries/Accounts.sol", "contracts/compiler.json"]) {
    it(`are no longer used after a change of ${file}`, () => {
      using dir = copyOfCheckout();
      appendFileSync(join(dir.path, file), " ");
      expect(isCompiled(dir.path)).to.equal(false);
    });
  }

  it("are no longer used with another version of a package that they are compiled from or with", () => {
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
