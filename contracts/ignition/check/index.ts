import { abis as contractAbis } from "@ngpu/contracts-sdk/abis";
import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Abi, AbiEvent, Address } from "viem";
import { constructorArguments, contractNames } from "../constructors.ts";
import type { FormerContracts } from "../deploy.ts";
import type { NgpuParameters } from "../parameters.ts";
import { windowFaults } from "../windows.ts";
import { type Artifact, codeFaults } from "./code.ts";
import { generationsOf } from "./generations.ts";
import { type ChainReader, pastEvents } from "./history.ts";
import { roleFaults } from "./roles.ts";
import { settingFaults } from "./settings.ts";

/** One thing that was looked at, and what is wrong with it. */
export type Finding = { check: string; faults: string[] };

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
  "UptimePosterSet",
  "HeartbeatCommitterSet",
  "KeeperSet",
  "MeasureKeeperSet",
]);

/**
 * Compares a deployment with this checkout: code and immutables, wiring, roles, and whether its delays suit the chain.
 *
 * @param parameters What it was deployed with; `genesis` as the contract has it.
 * @param artifact The compiler's output by contract.
 */
export async function checkDeployment(options: {
  client: ChainReader;
  contracts: Record<ContractName, Address>;
  startBlock: bigint;
  parameters: NgpuParameters;
  /** What was replaced, oldest first. */
  former?: readonly FormerContracts[];
  artifact: (name: ContractName) => Promise<Artifact>;
}): Promise<Finding[]> {
  const { client, contracts, parameters, startBlock } = options;
  const generations = generationsOf(contracts, options.former ?? []);
  const findings: Finding[] = [
    { check: "delays", faults: windowFaults(parameters, await client.getChainId()) },
  ];
  const present = { number: 0, replaced: contractNames, at: contracts, parameters };
  for (const { number, replaced, at, parameters: its } of [present, ...generations]) {
    for (const name of replaced) {
      const args = constructorArguments(name, its, at, at.AccessManager);
      const artifact = await options.artifact(name);
      const faults = await codeFaults({ client, address: at[name], artifact, args });
      findings.push({ check: `code of ${name}${number === 0 ? "" : ` of generation ${number}`}`, faults });
    }
  }
  const former = generations.flatMap(({ replaced, at }) =>
    replaced.map((name) => ({ name, address: at[name] })),
  );
  if (findings.some(({ check, faults }) => check.startsWith("code") && faults.length > 0)) {
    const why = "not looked at: other code may say anything";
    return [...findings, { check: "wiring", faults: [why] }, { check: "roles", faults: [why] }];
  }
  const events = await pastEvents({
    client,
    addresses: [...Object.values(contracts), ...former.map(({ address }) => address)],
    events: Object.values(abis)
      .flat()
      .filter((item): item is AbiEvent => item.type === "event" && settingEvents.has(item.name)),
    fromBlock: startBlock,
  });
  findings.push({ check: "wiring", faults: settingFaults(parameters, contracts, events, generations) });
  findings.push({
    check: "roles",
    faults: await roleFaults({ client, contracts, former, abis, parameters, events }),
  });
  return findings;
}
