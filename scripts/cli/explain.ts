import { readFileSync } from "node:fs";
import type { z } from "zod";
import { FatalError, InputError } from "../../services/shared/errors.ts";
import type { placementExplanation } from "../../services/shared/placement/question.ts";

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
  ports: string;
  region?: string;
  maxPrice: string;
  replicas: string;
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

/** Asks the API where a workspace could go; the exit code is 0 when a node fits now, 2 when none does. */
export async function explainPlacement(file: string | undefined, options: ExplainOptions): Promise<void> {
  const body = file === undefined ? bodyOf(options) : readBody(file);
  const response = await fetch(new URL("/v1/match/explain", options.api), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  }).catch((cause: unknown) => {
    throw new FatalError(`The API at ${options.api} does not answer.`, {
      code: "api_unreachable",
      hint: "Give its URL with --api, or as NGPU_API.",
      cause,
    });
  });
  const text = await response.text();
  if (!response.ok) {
    const { error } = JSON.parse(text) as { error?: { code: string; message: string } };
    throw new InputError(error?.message ?? `The API answered ${response.status}.`, {
      code: error?.code ?? "api_refused",
    });
  }
  const answer = JSON.parse(text) as z.output<typeof placementExplanation>;
  process.stdout.write(
    options.json ? `${text}\n` : `${answer.words.join("\n")}\n(block ${answer.block.number})\n`,
  );
  process.exitCode = answer.fitting > 0 ? 0 : 2;
}

function readBody(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === "-" ? 0 : file, "utf8"));
  } catch (cause) {
    throw new InputError(`${file} cannot be read as JSON.`, {
      code: "file_invalid",
      hint: "It holds what POST /v1/workspaces takes.",
      cause,
    });
  }
}

/** What POST /v1/workspaces takes, from options; the API says what is wrong with them. */
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
    ports: Array.from({ length: Number(options.ports) }, (_, index) => 8_080 + index),
    replicas: Number(options.replicas),
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
