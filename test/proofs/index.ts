import { join } from "node:path";
import { compile } from "./compile.ts";
import { prove } from "./prove.ts";
import { startSolver } from "./smt.ts";

const rootDir = join(import.meta.dirname, "../..");
const contracts = compile(rootDir);
const solver = await startSolver();
const show = (value: unknown) => JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));
for (const arg of process.argv.slice(2)) {
  const [contract = "", name = "", values = "{}"] = arg.split(":");
  const t = Date.now();
  const v = await prove({ contracts, solver, milliseconds: 60_000 }, { contract, name });
  console.log(name, show(v), Date.now() - t, solver.queries());
}
process.exit(0);
