import { anyImage } from "@ngpu/api-client/anyImage";
import { endWith } from "../shared/exitCodes.ts";
import { fileName, parseJson, readText } from "../shared/files.ts";
import { json, print } from "../shared/output.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";

export type ExplainOptions = GlobalOptions & {
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

/** Prints where a workspace could be placed. The exit code is 0 when a node fits now, 2 when none does. */
export async function explainPlacement(file: string | undefined, options: ExplainOptions): Promise<void> {
  const body = file === undefined ? bodyOf(options) : readBody(file);
  const settings = settingsOf(options);
  const answer = await apiOf(settings).call("POST /v1/match/explain", { body: body as never });
  print(settings.json ? json(answer) : `${answer.messages.join("\n")}\n(block ${answer.block.number})`);
  endWith(answer.fitting > 0 ? "success" : "no");
}

function readBody(file: string): unknown {
  return parseJson(readText(file), fileName(file), "It must hold a request body of POST /v1/workspaces.");
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
    image: options.image ?? anyImage,
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
