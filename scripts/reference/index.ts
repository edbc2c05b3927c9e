// Writes docs/reference from the code; `--check` only checks that it is current.
import { join } from "node:path";
import { readProject } from "./code/project.ts";
import { referencePages } from "./pages/all.ts";
import { staleIn, writePages } from "./write.ts";

const rootDir = join(import.meta.dirname, "../..");
const folder = join(rootDir, "docs/reference");
const { pages, problems } = referencePages({ rootDir, project: readProject(rootDir) });
const isCheck = process.argv.includes("--check");
if (!isCheck) writePages(folder, pages);
const stale = isCheck
  ? staleIn(folder, pages).map((each) => `docs/reference/${each}: run \`npm run reference\`.`)
  : [];
for (const line of [...new Set(problems), ...stale]) process.stderr.write(`${line}\n`);
process.exitCode = problems.length + stale.length === 0 ? 0 : 1;
