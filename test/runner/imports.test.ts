import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { importErrors } from "../../scripts/test/imports.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

/** The import errors of files given by path and content. */
function errorsOf(files: Record<string, string>): string[] {
  using dir = temporaryDir();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir.path, path)), { recursive: true });
    writeFileSync(join(dir.path, path), text);
  }
  return importErrors(dir.path);
}

const manifest = (name: string) => JSON.stringify({ name });

describe("import rules", () => {
  it("hold in this project", () => {
    expect(importErrors(rootDir)).to.deep.equal([]);
  });

  it("let a service import its own files and the packages below it", () => {
    const errors = errorsOf({
      "services/pomc/index.ts": 'import { a } from "./decide.ts";\nimport { b } from "@ngpu/runtime/b";',
      "services/pomc/decide.ts": "export const a = 1;",
      "packages/runtime/b.ts": "export const b = 1;",
      "packages/runtime/package.json": manifest("@ngpu/runtime"),
    });
    expect(errors).to.deep.equal([]);
  });

  for (const [kind, text] of Object.entries({
    "an import": 'import { a } from "../match/a.ts";',
    "an import over several lines": 'import {\n  type A,\n  a,\n} from "../match/a.ts";',
    "an import of types": 'import type { A } from "../match/a.ts";',
    "a bare import": 'import "../match/a.ts";',
    "an export": 'export * from "../match/a.ts";',
    "a dynamic import": 'const a = await import("../match/a.ts");',
    "an import of the package": 'import { a } from "@ngpu/match/a";',
  })) {
    it(`reject an import of another service: ${kind}`, () => {
      const errors = errorsOf({
        "services/pomc/index.ts": text,
        "services/match/a.ts": "export const a = 1;",
        "services/match/package.json": manifest("@ngpu/match"),
      });
      expect(errors).to.have.lengthOf(1);
      expect(errors[0]).to.match(/^services\/pomc\/index\.ts imports services\/match\/a\.ts: /);
    });
  }

  it("reject an import of a package above", () => {
    const errors = errorsOf({
      "packages/runtime/a.ts": 'import type { B } from "@ngpu/db/b";',
      "packages/db/b.ts": "export type B = 1;",
      "packages/db/package.json": manifest("@ngpu/db"),
    });
    expect(errors).to.deep.equal([
      "packages/runtime/a.ts imports packages/db/b.ts: the runtime does not depend on the market",
    ]);
  });

  it("find import cycles, including cycles of type imports", () => {
    const errors = errorsOf({
      "services/pomc/a.ts": 'import type { B } from "./b.ts";\nexport type A = B;',
      "services/pomc/b.ts": 'import type { A } from "./a.ts";\nexport type B = A;',
    });
    expect(errors).to.deep.equal([
      "services/pomc/a.ts imports services/pomc/b.ts imports services/pomc/a.ts: import cycles are not allowed",
    ]);
  });

  it("reject paths from the node client to the database, also through another package", () => {
    const errors = errorsOf({
      "node-client/index.ts": 'import { help } from "@ngpu/chain-reader/help";',
      "packages/chain-reader/package.json": manifest("@ngpu/chain-reader"),
      "packages/chain-reader/help.ts": 'import { pool } from "../db/pool.ts";\nexport const help = pool;',
      "packages/db/pool.ts": "export const pool = 1;",
    });
    expect(errors).to.include(
      "node-client/index.ts imports packages/chain-reader/help.ts imports packages/db/pool.ts: the node client never reaches the database or a queue",
    );
  });

  it("reject imports of tests in product code", () => {
    const errors = errorsOf({
      "node-client/index.ts": 'import { a } from "../test/a.ts";',
      "scripts/start.ts": 'import { a } from "../test/a.ts";',
      "test/a.ts": "export const a = 1;",
    });
    expect(errors).to.have.lengthOf(2);
  });
});
