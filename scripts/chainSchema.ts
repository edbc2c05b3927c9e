// Records changed definitions of schema chain. `--breaking`: rows of the same columns have another meaning.
import { writeFileSync } from "node:fs";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { nextChainSchema } from "@ngpu/auto-export/version";
import { chainSchemaFile, readChainSchema } from "@ngpu/db/chainSchema";

const next = nextChainSchema(readChainSchema(), loadDefinitions(), process.argv.includes("--breaking"));
writeFileSync(chainSchemaFile, `${JSON.stringify(next, undefined, 2)}\n`);
process.stdout.write(
  `Schema chain has version ${next.version}; services since version ${next.compatibleSince} can read it.\n`,
);
