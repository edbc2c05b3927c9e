import { abis as contractAbis } from "@ngpu/contracts-sdk/abis";
import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Abi, AbiEvent, Address } from "viem";
import { artifactOf, constructorArguments, contractNames, extensionOf } from "../constructors.ts";
import type { PreviousContracts } from "../deploy.ts";
import type { NgpuParameters } from "../parameters.ts";
import { windowErrors } from "../windows.ts";
import { type Artifact, codeErrors, extensionErrors } from "./code.ts";
import { type Generation, generationsOf } from "./generations.ts";
import { type ChainReader, pastEvents } from "./history.ts";
import { roleErrors } from "./roles.ts";
import { settingErrors } from "./settings.ts";

/** One check and its errors. */
export type Finding = { check: string; errors: string[] };

const abis = { AccessManager: managerAbi, ...contractAbis } as unknown as Record<ContractName, Abi>;

const settingEvents = new Set([
  "RoleGranted",
  "RoleRevoked",
  "DockerSet",
  "DockerAdded",
  "DockerRetired",
  "MeasureSet",
  "MinterSet",
  "PosterSet",
  "ReceiptsPosterSet",
  "WatcherSet",
  "UptimePosterSet",
  "HeartbeatCommitterSet",
  "HeartbeatAcknowledgerSet",
  "HeartbeatCosignerSet",
  "KeeperSet",
  "WitnessSet",
  "MeasureKeeperSet",
]);

/**
 * Compares a deployment with this checkout: code and immutables, connections, roles, and whether its delays suit the chain.
 *
 * @param parameters The deployment's parameters, with the contract's `genesis`.
 * @param artifact The compiler's output by the artifact's name.
 */
export async function checkDeployment(options: {
  client: ChainReader;
  contracts: Record<ContractName, Address>;
  startBlock: bigint;
  parameters: NgpuParameters;
  /** Replaced contracts, oldest first. */
  previous?: readonly PreviousContracts[];
  artifact: (name: string) => Promise<Artifact>;
}): Promise<Finding[]> {
  const { client, contracts, parameters, startBlock } = options;
  const generations = generationsOf(contracts, options.previous ?? []);
  const findings: Finding[] = [
    { check: "delays", errors: windowErrors(parameters, await client.getChainId()) },
  ];
  const present = { number: 0, replaced: [...contractNames], at: contracts, parameters };
  for (const generation of [present, ...generations]) {
    findings.push(...(await codeFindings(client, options.artifact, generation)));
  }
  const previous = generations.flatMap(({ replaced, at }) =>
    replaced.map((name) => ({ name, address: at[name] })),
  );
  if (findings.some(({ check, errors }) => check.startsWith("code") && errors.length > 0)) {
    const why = "skipped, because the code differs";
    return [...findings, { check: "wiring", errors: [why] }, { check: "roles", errors: [why] }];
  }
  const events = await pastEvents({
    client,
    addresses: [...Object.values(contracts), ...previous.map(({ address }) => address)],
    events: Object.values(abis)
      .flat()
      .filter((item): item is AbiEvent => item.type === "event" && settingEvents.has(item.name)),
    fromBlock: startBlock,
  });
  findings.push({ check: "wiring", errors: settingErrors(parameters, contracts, events, generations) });
  findings.push({
    check: "roles",
    errors: await roleErrors({ client, contracts, previous, abis, parameters, events }),
  });
  return findings;
}

/** Compares the code and immutables of the contracts of one generation; number 0 is the present one. */
async function codeFindings(
  client: ChainReader,
  artifactNamed: (name: string) => Promise<Artifact>,
  generation: Generation,
): Promise<Finding[]> {
  const { number, replaced, at, parameters } = generation;
  const findings: Finding[] = [];
  for (const name of replaced) {
    const args = constructorArguments(name, parameters, at, at.AccessManager);
    const artifact = await artifactNamed(artifactOf(name));
    const errors = await codeErrors({ client, address: at[name], artifact, args });
    const extension = extensionOf(name, parameters, at);
    if (extension !== undefined && errors.length === 0) {
      const part = { artifact: await artifactNamed(extension.artifact), args: extension.args };
      errors.push(...(await extensionErrors({ client, of: at[name], ...part })));
    }
    findings.push({ check: `code of ${name}${number === 0 ? "" : ` of generation ${number}`}`, errors });
  }
  return findings;
}
