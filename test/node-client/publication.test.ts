import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { keccak256, pad, toBytes, zeroAddress } from "viem";
import { readPublication } from "../../node-client/plans.ts";
import {
  createScriptedChain,
  eventLog,
  type ScriptedLog,
  testGenerations,
} from "../packages/chain-reader/scriptedChain.ts";

const deployment = { chainId: 31_337, startBlock: 0n, ...testGenerations } as unknown as Deployment;
const noImage = pad("0x01", { size: 32 });

function published(workspaceId: bigint, config: string): ScriptedLog {
  const resources = { gpus: 0, cpuMilli: 500, memoryMib: 256, diskGib: 1, ports: 1 };
  return eventLog("DockerContract", "WorkspacePublished", {
    workspaceId,
    owner: zeroAddress,
    image: noImage,
    authorizationId: 0n,
    replicas: 1,
    config,
    spec: {
      image: noImage,
      policy: 0,
      graceSeconds: 60,
      maxPricePerSecond: 1n,
      gpuModel: "0x0000000000000000",
      minVramMib: 0,
      minComputeCapability: 0,
      region: "0x0000",
      resources,
      expiresAt: 0,
      configHash: keccak256(toBytes(config)),
    },
  });
}

describe("the publication of a workspace", () => {
  for (const limit of [undefined, 2_000n, 10n, 7n, 1n]) {
    const what = limit === undefined ? "any number of" : String(limit);
    it(`is found 2,500 blocks back at an endpoint that serves ${what} blocks of logs`, async () => {
      const chain = createScriptedChain();
      // Configurations that are no JSON name no registry to ask for the image's size.
      chain.mine([published(1n, "first"), published(2n, "other")]);
      chain.mine(...Array<ScriptedLog[]>(2_500).fill([]));
      chain.mine([published(1n, "after the assignment")]);
      if (limit !== undefined) chain.misbehave({ rangeLimit: limit });
      const assignment = { workspaceId: 1n, assignedBlock: chain.head().number - 1n, assignedLog: 0 };
      const publication = await readPublication(chain.client, deployment, assignment);
      expect(publication).to.deep.include({ blockNumber: 1n, config: "first" });
    });
  }
});
