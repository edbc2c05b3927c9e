import type { Abi, AbiEvent, Address } from "viem";
import { abis as contractAbis } from "../../../services/shared/chain/abis.ts";
import type { ContractName } from "../../../services/shared/chain/deployment.ts";
import { managerAbi } from "../../../services/shared/chain/generated/abi.ts";
import { constructorArguments, contractNames } from "../constructors.ts";
import type { NgpuParameters } from "../parameters.ts";
import { windowFaults } from "../windows.ts";
import { type Artifact, codeFaults } from "./code.ts";
import { type ChainReader, pastEvents } from "./history.ts";
import { roleFaults } from "./roles.ts";
import { settingFaults } from "./settings.ts";

/** One thing that was looked at, and what is wrong with it. */
export type Finding = { check: string; faults: string[] };

const abis = { AccessManager: managerAbi, ...contractAbis } as unknown as Record<ContractName, Abi>;

const settingEvents = new Set([
  ...[
    "RoleGranted",
    "RoleRevoked",
    "DockerSet",
    "DockerAdded",
    "DockerRetired",
    "MeasureSet",
    "MinterSet",
    "PosterSet",
  ],
  ...["UptimePosterSet", "HeartbeatCommitterSet", "KeeperSet", "MeasureKeeperSet"],
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
  artifact: (name: ContractName) => Promise<Artifact>;
}): Promise<Finding[]> {
  const { client, contracts, parameters, startBlock } = options;
  const findings: Finding[] = [
    { check: "delays", faults: windowFaults(parameters, await client.getChainId()) },
  ];
  for (const name of contractNames) {
    const args = constructorArguments(name, parameters, contracts, contracts.AccessManager);
    const artifact = await options.artifact(name);
    const faults = await codeFaults({ client, address: contracts[name], artifact, args });
    findings.push({ check: `code of ${name}`, faults });
  }
  if (findings.some(({ check, faults }) => check.startsWith("code") && faults.length > 0)) {
    const why = "not looked at: other code may say anything";
    return [...findings, { check: "wiring", faults: [why] }, { check: "roles", faults: [why] }];
  }
  const events = await pastEvents({
    client,
    addresses: Object.values(contracts),
    events: Object.values(abis)
      .flat()
      .filter((item): item is AbiEvent => item.type === "event" && settingEvents.has(item.name)),
    fromBlock: startBlock,
  });
  findings.push({ check: "wiring", faults: settingFaults(parameters, contracts, events) });
  findings.push({
    check: "roles",
    faults: await roleFaults({ client, contracts, abis, parameters, events }),
  });
  return findings;
}
