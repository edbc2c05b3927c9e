import { requireHistory } from "@ngpu/chain-reader/requireHistory";
import { type RpcClient, readHeader } from "@ngpu/chain-reader/rpc";
import type { ContractName, Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import type { Connection } from "@ngpu/db/pool";
import { FatalError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { buildSchema } from "./build.ts";
import { type Origin, planSchema } from "./decide.ts";
import { sourceAddresses } from "./decode.ts";
import type { Definitions } from "./definitions.ts";
import { chainSchema, inTransaction, readOrigin } from "./store.ts";

const reader = "ngpu_reader";

type BuildParts = {
  client: RpcClient;
  definitions: Definitions;
  deployment: Pick<Deployment, "chainId" | "startBlock" | "contracts" | "previous">;
  logger: Logger;
  signal: AbortSignal;
};

/**
 * Decides from the stored origin whether to keep, build or rebuild the schema. `build` carries it out.
 *
 * @returns `isEmpty`: whether the schema has no blocks after `build`.
 * @throws FatalError `chain_schema_newer` when a newer version built the schema; `rpc_history_missing` when no endpoint has the blocks to
 * build it from.
 */
export async function planBuild(
  { client, definitions, deployment, logger, signal }: BuildParts,
  db: Connection,
): Promise<{ isEmpty: boolean; build: () => Promise<void> }> {
  const stored = await readOrigin(db, chainSchema);
  const history = { addresses: sourceAddresses(definitions.tables, deployment) };
  if (stored === undefined) await requireHistory(client, history, deployment.startBlock, signal);
  const start = await readHeader(client, deployment.startBlock);
  const wanted: Origin = {
    chainId: deployment.chainId,
    startBlock: deployment.startBlock,
    startHash: start.hash,
    contracts: generationsOf(deployment),
    definitions: definitions.hash,
    version: definitions.version.version,
  };
  const plan = planSchema(stored, wanted);
  if (plan.type === "leave") throw builtByNewer(stored?.version ?? 0, wanted.version);
  if (plan.type === "keep") return { isEmpty: false, build: async () => undefined };
  // The rows of an earlier version are dropped only if they can be read again.
  if (stored !== undefined) await requireHistory(client, history, deployment.startBlock, signal);
  const build = async () => {
    const since = performance.now();
    await inTransaction(db, () => buildSchema(db, definitions, wanted, reader));
    const duration = performance.now() - since;
    if (plan.type === "build") logger.info({ event: "schema_built", duration });
    else logger.warn({ event: "schema_rebuilt", reasons: plan.reasons, duration });
  };
  return { isEmpty: true, build };
}

function builtByNewer(found: number, known: number): FatalError {
  return new FatalError(
    `Schema chain has version ${found}; this autoExport supports versions up to ${known}.`,
    {
      code: "chain_schema_newer",
      hint: "Update autoExport. To rebuild the schema with this version instead, drop table chain.origin.",
      details: { found, known },
    },
  );
}

function generationsOf(deployment: BuildParts["deployment"]): Origin["contracts"] {
  const names = Object.keys(deployment.contracts) as ContractName[];
  return Object.fromEntries(
    names.map((name) => [name, addressesOf(deployment, name).map((at) => at.toLowerCase())]),
  );
}
