import { readFileSync } from "node:fs";
import type { PlacementExplanation } from "@ngpu/protocol/placement/request";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { callApi } from "./api.ts";

export type ExplainOptions = {
  api: string;
  json: boolean;
  gpus?: string;
  gpuModel?: string;
  vramGib?: string;
  capability?: string;
  cpu: string;
  memoryMib: string;
  diskGib: string;
  ports: number;
  region?: string;
  maxPrice: string;
  replicas: number;
  image?: string;
  strategy?: string;
  pack?: boolean;
  imageAffinity?: string;
  latencyMs?: string;
  downMbps?: string;
  upMbps?: string;
  uptimePercent?: string;
};

const noImage = `none@sha256:${"0".repeat(64)}`;

/** Prints where a workspace could be placed. The exit code is 0 when a node fits now, 2 when none does. */
export async function explainPlacement(file: string | undefined, options: ExplainOptions): Promise<void> {
  const body = file === undefined ? bodyOf(options) : readBody(file);
  const answer = (await callApi(options, "/v1/match/explain", body)) as PlacementExplanation;
  process.stdout.write(
    options.json
      ? `${JSON.stringify(answer)}\n`
      : `${answer.messages.join("\n")}\n(block ${answer.block.number})\n`,
  );
  process.exitCode = answer.fitting > 0 ? 0 : 2;
}

function readBody(file: string): unknown {
  const name = file === "-" ? "The input on stdin" : file;
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw new InputError(`${name} cannot be read: ${messageOf(cause)}.`, {
      code: "file_unreadable",
      hint: "Name a file that this user can read, or - for the standard input.",
      cause,
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${name} is not JSON.`, {
      code: "file_invalid",
      hint: "It must hold a request body of POST /v1/workspaces.",
      cause,
    });
  }
}

/** Builds the body of POST /v1/workspaces from options; the API validates them. */
function bodyOf(options: ExplainOptions): unknown {
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const gpu = {
    model: options.gpuModel,
    count: number(options.gpus),
    minVramGib: number(options.vramGib),
    minComputeCapability: options.capability,
  };
  return {
    image: options.image ?? noImage,
    ports: Array.from({ length: options.ports }, (_, index) => 8_080 + index),
    replicas: options.replicas,
    maxPricePerSecond: options.maxPrice,
    ...(Object.values(gpu).every((value) => value === undefined) ? {} : { gpu }),
    cpu: Number(options.cpu),
    memoryMib: Number(options.memoryMib),
    diskGib: Number(options.diskGib),
    region: options.region,
    placement: {
      strategy: options.strategy,
      replicas: options.pack === true ? "pack" : undefined,
      image: options.imageAffinity,
      maxLatencyMs: number(options.latencyMs),
      minDownMbps: number(options.downMbps),
      minUpMbps: number(options.upMbps),
      minUptimePercent: number(options.uptimePercent),
    },
  };
}
