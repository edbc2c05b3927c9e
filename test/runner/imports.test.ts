import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { importFaults } from "../../scripts/test/imports.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

/** What the rules say about files given by path and content. */
function faultsOf(files: Record<string, string>): string[] {
  using dir = temporaryDir();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir.path, path)), { recursive: true });
    writeFileSync(join(dir.path, path), text);
  }
  return importFaults(dir.path);
}

describe("import rules", () => {
  it("hold in this project", () => {
    expect(importFaults(rootDir)).to.deep.equal([]);
  });

  it("let a room use itself and what is shared", () => {
    const faults = faultsOf({
      "services/pomc/index.ts": 'import { a } from "./decide.ts";\nimport { b } from "../shared/b.ts";',
      "services/pomc/decide.ts": "export const a = 1;",
      "services/shared/b.ts": "export const b = 1;",
    });
    expect(faults).to.deep.equal([]);
  });

  for (const [kind, text] of Object.entries({
    "an import": 'import { a } from "../match/a.ts";',
    "an import over several lines": 'import {\n  type A,\n  a,\n} from "../match/a.ts";',
    "an import of types": 'import type { A } from "../match/a.ts";',
    "a bare import": 'import "../match/a.ts";',
    "an export": 'export * from "../match/a.ts";',
    "an import on demand": 'const a = await import("../match/a.ts");',
  })) {
    it(`keep a room out of another: ${kind}`, () => {
      const faults = faultsOf({
        "services/pomc/index.ts": text,
        "services/match/a.ts": "export const a = 1;",
      });
      expect(faults).to.have.lengthOf(1);
      expect(faults[0]).to.match(/^services\/pomc\/index\.ts imports services\/match\/a\.ts: /);
    });
  }

  it("keep the node client from the database, also through a shared file", () => {
    const faults = faultsOf({
      "node-client/index.ts": 'import { help } from "../services/shared/help.ts";',
      "services/shared/help.ts": 'import { pool } from "./db/pool.ts";\nexport const help = pool;',
      "services/shared/db/pool.ts": "export const pool = 1;",
    });
    expect(faults).to.deep.equal([
      "node-client/index.ts imports services/shared/help.ts imports services/shared/db/pool.ts: the node client never sees the database or a queue",
    ]);
  });

  it("keep product code from tests", () => {
    const faults = faultsOf({
      "node-client/index.ts": 'import { a } from "../test/a.ts";',
      "scripts/start.ts": 'import { a } from "../test/a.ts";',
      "test/a.ts": "export const a = 1;",
    });
    expect(faults).to.have.lengthOf(2);
  });
});
