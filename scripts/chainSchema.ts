// Records the definitions of schema chain after they changed; `--breaking` when rows mean something else in the same columns.
import { writeFileSync } from "node:fs";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { nextChainSchema } from "@ngpu/auto-export/version";
import { chainSchemaFile, readChainSchema } from "@ngpu/db/chainSchema";

const next = nextChainSchema(readChainSchema(), loadDefinitions(), process.argv.includes("--breaking"));
writeFileSync(chainSchemaFile, `${JSON.stringify(next, undefined, 2)}\n`);
process.stdout.write(
  `Schema chain has version ${next.version}; services since version ${next.compatibleSince} can read it.\n`,
);
