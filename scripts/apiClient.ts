// Writes the OpenAPI document and the API client's types from the endpoints; `--check` only checks that they are current.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { endpointsOf } from "@ngpu/api-server/app";
import type { ApiDeps } from "@ngpu/api-server/deps";
import { openApiDocument } from "@ngpu/api-server/openapi";
import { FatalError } from "@ngpu/runtime/errors";
import { start } from "@ngpu/runtime/lifecycle";
import { runToEnd } from "./embedded/command.ts";
import { writeChanged } from "./writeChanged.ts";

const folder = join(import.meta.dirname, "../packages/api-client/generated");
/** The document of no market in particular. */
const publicUrl = "https://market.example";

/** What the endpoints' descriptions depend on. Their handlers are never called. */
const described = {
  publicUrl,
  deployment: { chainId: 1, contracts: {}, previous: [] },
  faucet: { give: () => Promise.reject(new Error("This faucet only describes its endpoint.")) },
} as unknown as ApiDeps;

/** The generated files by name. */
async function generate(): Promise<Map<string, string>> {
  const document = `${JSON.stringify(openApiDocument(endpointsOf(described), publicUrl), null, 2)}\n`;
  const scratch = mkdtempSync(join(tmpdir(), "ngpu-api-client-"));
  try {
    writeFileSync(join(scratch, "openapi.json"), document);
    const schema = await typesOf(join(scratch, "openapi.json"), join(scratch, "schema.ts"));
    return new Map([
      ["openapi.json", document],
      ["schema.ts", schema],
    ]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Runs openapi-typescript as a program: it needs another version of TypeScript than this project. */
async function typesOf(document: string, output: string): Promise<string> {
  const entry = fileURLToPath(import.meta.resolve("openapi-typescript"));
  const program = join(dirname(entry), "../bin/cli.js");
  const args = [program, document, "--output", output, "--alphabetize", "--default-non-nullable=false"];
  const { code, output: printed } = await runToEnd(process.execPath, args, { cwd: dirname(output) });
  if (code === 0) return readFileSync(output, "utf8");
  throw new FatalError(`openapi-typescript could not read the OpenAPI document:\n${printed}`, {
    code: "api_types_failed",
    hint: "Correct the schema that it names in services/apiServer/schemas.",
  });
}

await start(async () => {
  const files = await generate();
  if (!process.argv.includes("--check")) {
    for (const [name, text] of files) writeChanged(join(folder, name), text);
    return;
  }
  for (const [name, text] of files) {
    const path = join(folder, name);
    if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
    process.stderr.write(
      `packages/api-client/generated/${name} is not current: run \`npm run api:client\`.\n`,
    );
    process.exitCode = 1;
  }
});
