import { parseArgs } from "node:util";
import { measureOverload } from "../../services/overload/overload.ts";
import { stopParts } from "../../support/parts.ts";

/** What a partner gets of the API in quiet times, and while others overload it by every way that it has. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "100" } },
  });
  try {
    const figures = await measureOverload(Number(values.rounds));
    process.stdout.write(`${JSON.stringify(figures, null, values.json ? 0 : 2)}\n`);
  } finally {
    await stopParts();
  }
}
