import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createChainClient } from "@ngpu/chain-reader/client";
import { artifactOf } from "@ngpu/contracts/ignition/constructors";
import { type Artifact, deployAtOnce } from "@ngpu/contracts/ignition/deployAtOnce";
import { type NgpuParametersInput, parseParameters } from "@ngpu/contracts/ignition/parameters";
import { type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { trialTerms } from "@ngpu/rewards/defaultTerms";
import { FatalError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { type Address, parseEther } from "viem";
import { COMPILED, isCompiled } from "../bootstrap/compiled.mjs";
import { withAutomine } from "../embedded/chain.ts";
import { fundSenders } from "./funds.ts";
import type { KeyName, Keys } from "./keys.ts";
import type { Market } from "./market.ts";
import { choosePeriods, type Periods } from "./periods.ts";
import type { Progress } from "./reporter.ts";
import { runTask } from "./task.ts";
import { unlessAborted } from "./waitFor.ts";

type Context = Pick<Market, "rootDir" | "stateDir" | "options" | "keys" | "chain" | "signal">;

/** Files of the deployments to one chain. */
type Paths = { journal: string; record: string; parameters: string; out: string };

/**
 * Funds the senders, compiles the contracts if they differ from the stored ones, and deploys them: to the embedded chain at
 * once, to any other with Hardhat Ignition, which can be resumed. On a chain that already has the contracts, it only reads
 * the deployment.
 *
 * @throws FatalError `deployment_failed`, `contract_not_found`, `period_mismatch` or `deployer_unfunded`.
 */
export async function deployContracts(
  context: Context,
  progress: Progress,
): Promise<{ deployment: Deployment; file: string }> {
  const { rootDir, chain } = context;
  const paths = pathsOf(context);
  const [url = ""] = chain.rpcUrls;
  const deployed = chain.embedded ? undefined : await deployedBefore(context, paths);
  const periods = choosePeriods({
    isEmbedded: chain.embedded,
    asked: context.options.periods,
    deployed: deployed ? readPeriods(paths.parameters) : undefined,
  });
  await fundSenders({ chain, keys: context.keys, signal: context.signal, progress, deploys: !deployed });
  const isKept = isCompiled(rootDir);
  if (!isKept) {
    progress("compiling, because a contract was changed");
    const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
    await mustRun(context, "compile", "The contracts do not compile", [hardhat, "build", "--quiet"]);
  }
  progress(deployed ? "reading the deployment" : "deploying");
  mkdirSync(paths.journal, { recursive: true });
  const parameters = parametersOf(context.keys, periods, chain.embedded);
  // The file of an earlier deployment holds the parameters it was deployed with.
  if (!deployed) writeFileSync(paths.parameters, toJson(parameters, 2));
  if (chain.embedded) {
    const artifacts = join(rootDir, isKept ? COMPILED : "artifacts");
    await deployEmbedded(context, { url, artifacts, parameters, out: paths.out });
  } else {
    await mustRun(context, "deploy", "The contracts could not be deployed", [
      join(rootDir, "scripts/deploy.ts"),
      `--rpc-url=${url}`,
      `--parameters=${paths.parameters}`,
      `--out=${paths.out}`,
      `--journal=${paths.journal}`,
    ]);
  }
  return { deployment: parseDeployment(JSON.parse(readFileSync(paths.out, "utf8"))), file: paths.out };
}

/** The embedded chain is empty and loses nothing when its deployment is interrupted. */
async function deployEmbedded(
  { keys, signal }: Context,
  given: { url: string; artifacts: string; parameters: NgpuParametersInput; out: string },
): Promise<void> {
  const { url, artifacts, out } = given;
  const parameters = parseParameters(given.parameters);
  const artifact = (name: Parameters<typeof artifactOf>[0]): Artifact => {
    const compiled = artifactOf(name);
    const file = join(artifacts, "contracts", `${compiled}.sol`, `${compiled}.json`);
    return JSON.parse(readFileSync(file, "utf8")) as Artifact;
  };
  const deployer = keys.deployer.account;
  const deployment = await withAutomine({ url, signal }, () =>
    unlessAborted(signal, deployAtOnce({ url, deployer, parameters, artifact })),
  );
  writeFileSync(out, `${toJson(deployment, 2)}\n`);
}

/** The embedded chain has its own journal, because another chain may have the same id. */
function pathsOf({ stateDir, chain }: Context): Paths {
  const journal = join(stateDir, chain.embedded ? "ignition-embedded" : "ignition");
  return {
    journal,
    record: join(journal, "deployments", `chain-${chain.chainId}`),
    parameters: join(journal, `parameters-${chain.chainId}.json`),
    out: join(stateDir, "deployment.json"),
  };
}

/** True when the chain has the contracts of the journal; a chain that was reset under the same id does not. */
async function deployedBefore({ chain, signal }: Context, { record }: Paths): Promise<boolean> {
  const addressesFile = join(record, "deployed_addresses.json");
  if (!existsSync(addressesFile)) return false;
  const [address] = Object.values(JSON.parse(readFileSync(addressesFile, "utf8")) as Record<string, Address>);
  if (address === undefined) return false;
  const code = await unlessAborted(signal, createChainClient(chain).getCode({ address }));
  if (code !== undefined) return true;
  throw new FatalError(
    `Chain ${chain.chainId} no longer has the contracts that were deployed to it from here.`,
    {
      code: "contract_not_found",
      hint: `If the chain was restarted, remove ${record} and use an empty database. Otherwise point CHAIN_RPC_URLS to the previous chain.`,
    },
  );
}

function readPeriods(file: string): Partial<Periods> | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<Periods>) : undefined;
}

/**
 * Waves of a chain with a block every second: one in five minutes on average. The chase is long enough for a CPU that has
 * other work to prove its memory.
 */
const embeddedWaves = {
  stride: 1,
  chance: 300,
  fillBlocks: 20,
  chaseBlocks: 45,
  workBlocks: 15,
  commitBlocks: 20,
  revealBlocks: 15,
};

function parametersOf(keys: Keys, periods: Periods, embedded: boolean) {
  const address = (holder: KeyName) => keys[holder].account.address;
  return {
    ...periods,
    // The contract requires whole slots.
    daySeconds: Math.ceil(periods.daySeconds / periods.slotSeconds) * periods.slotSeconds,
    clockMarginSeconds: 120,
    // A day is two minutes on the embedded chain, whose journey takes one.
    ...(periods.daySeconds < 3_600 ? { minSeconds: 60, refundDays: 1 } : {}),
    ...(embedded ? { waves: embeddedWaves } : {}),
    quorum: 1,
    openMeasurers: true,
    // Two slots: the last heartbeats of an epoch are committed by then.
    settlementSeconds: embedded ? 2 * periods.slotSeconds : periods.heartbeatWindowSeconds,
    rewardTerms: trialTerms(periods),
    emissionPerEpoch: parseEther("1000"),
    cap: parseEther("1000000000"),
    genesisSupply: parseEther("100000000"),
    // One owner holds every role here, so delays would protect nothing.
    delays: { admin: 0, operations: 0, unpauser: 0 },
    treasury: address("treasury"),
    guardian: address("guardian"),
    committers: [address("committer")],
    acknowledgers: [address("acknowledger")],
    cosigners: [address("cosigner")],
    keepers: [address("keeper"), address("workspace"), address("dispense")],
    witnesses: [address("witness")],
    measureKeepers: [address("measureKeeper")],
    poster: address("pomc"),
    receiptsPoster: address("receiptsPoster"),
  };
}

async function mustRun(context: Context, name: string, what: string, args: string[]): Promise<void> {
  const { rootDir, stateDir, signal, keys } = context;
  const env = { ...process.env, NO_COLOR: "1", DEPLOYER_KEY: keys.deployer.key };
  const { code, output } = await runTask({ name, args, cwd: rootDir, env, stateDir, signal });
  if (code === 0) return;
  throw new FatalError(`${what}:\n${output.trim()}`, {
    code: "deployment_failed",
    hint: "Resolve the error of the deployment, then start again: it continues where it stopped.",
  });
}
