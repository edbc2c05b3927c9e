import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuiltImage, buildAll } from "@ngpu/image-store/build";
import Docker from "dockerode";
import express from "express";
import { keccak256, toBytes } from "viem";
import type { Assignment } from "../../../node-client/leases.ts";
import type { Publication } from "../../../node-client/plans.ts";
import { registryRouter } from "../../../services/registry/router.ts";
import { type Composition, composeImage } from "./composedImage.ts";

const repoRoot = join(import.meta.dirname, "../../..");

/** A registry with the repository's images. Few tests need the prover of CPUs, which makes the probe's image large. */
export async function openRegistry({ cpuProver = false } = {}) {
  const storeDir = mkdtempSync(join(tmpdir(), "ngpu-store-"));
  const images = await buildAll({ repoRoot, storeDir, cpuProver });
  let served = 0;
  const server = await new Promise<Server>((resolve) => {
    const listening = express()
      .use((_request, _response, next) => {
        served += 1;
        next();
      })
      .use(registryRouter({ storeDir }))
      .listen(0, "127.0.0.1", () => resolve(listening));
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const find = (name: string): BuiltImage => {
    const image = images.find((item) => item.reference === name);
    if (image === undefined) throw new Error(`no image ${name}`);
    return image;
  };
  return {
    host,
    /** Requests so far. */
    served: () => served,
    /** `name@sha256:…` */
    referenceOf: (name: string) => `${host}/${find(name).repository}@${find(name).digest}`,
    /** The publication of a workspace with one of the images. */
    publicationOf: (
      name: string,
      options: { policy?: number; graceSeconds?: number; config?: object } = {},
    ) => {
      const { repository, digest, sizeBytes } = find(name);
      const config = JSON.stringify({ image: `${host}/${repository}`, ports: [8080], ...options.config });
      return {
        workspaceId: 1n,
        blockNumber: 1n,
        spec: {
          image: digest.replace("sha256:", "0x") as `0x${string}`,
          policy: options.policy ?? 0,
          graceSeconds: options.graceSeconds ?? 60,
          resources: { gpus: 0, cpuMilli: 1000, memoryMib: 256, diskGib: 1 },
          configHash: keccak256(toBytes(config)),
        },
        config,
        sizeBytes: BigInt(sizeBytes),
      } satisfies Publication;
    },
    /** Serves one of the images with another configuration or other files. */
    compose: async (name: string, composition: Composition) => {
      const { repository, digest } = find(name);
      const composed = await composeImage({ storeDir, repository, digest }, composition);
      return {
        /** `name@sha256:…` */
        reference: `${host}/${repository}@${composed}`,
        image: composed.replace("sha256:", "0x") as `0x${string}`,
      };
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
      rmSync(storeDir, { recursive: true });
    },
  };
}

/** A lease on the chain that is to run immediately. */
export function assignment(change: Partial<Assignment>): Assignment {
  return {
    workspaceId: 1n,
    replica: 0,
    lease: 1,
    fence: "0xaaaaaaaaaaaaaaaa",
    assignedBlock: 1n,
    assignedBlockHash: `0x${"11".repeat(32)}`,
    assignedLog: 0,
    desired: "run",
    order: "first",
    state: "assigned",
    detail: `0x${"00".repeat(32)}`,
    sequence: 0,
    milestone: 0,
    lost: false,
    ended: false,
    keptUntil: Number.POSITIVE_INFINITY,
    ...change,
  };
}

/** Removes the containers of a test's node from the engine. */
export async function removeMarket(market: string): Promise<void> {
  const docker = new Docker();
  const label = [`ngpu.market=${market}`];
  for (const { Id } of await docker.listContainers({ all: true, filters: { label } })) {
    await docker.getContainer(Id).remove({ force: true, v: true });
  }
}

/** Number of the engine's events by action, for the containers of a market since a time. */
export async function engineRecord(market: string, since: number): Promise<Record<string, number>> {
  const docker = new Docker();
  const stream = await docker.getEvents({
    since: Math.floor(since / 1000),
    until: Math.floor(Date.now() / 1000) + 1,
    filters: { type: ["container"], label: [`ngpu.market=${market}`] },
  });
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  const counts: Record<string, number> = {};
  for (const line of text.split("\n").filter((item) => item !== "")) {
    const { Action } = JSON.parse(line) as { Action: string };
    counts[Action] = (counts[Action] ?? 0) + 1;
  }
  return counts;
}
