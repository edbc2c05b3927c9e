import { anyImage } from "@ngpu/api-client/anyImage";
import type { Schema } from "@ngpu/api-client/client";
import { decimalOf, unitsOf } from "../../format.ts";

/** What is typed, as text, so that nothing is changed while it is typed. */
export type Form = {
  name: string;
  image: string;
  ports: string;
  command: string;
  env: string;
  replicas: string;
  gpus: string;
  gpuModel: string;
  vramGib: string;
  cpu: string;
  memoryGib: string;
  diskGib: string;
  region: string;
  pricePerHour: string;
};

const hour = 3_600n;

export const initial: Form = {
  name: "",
  image: "",
  ports: "8000",
  command: "",
  env: "",
  replicas: "1",
  gpus: "0",
  gpuModel: "",
  vramGib: "0",
  cpu: "1",
  memoryGib: "1",
  diskGib: "10",
  region: "",
  pricePerHour: "1",
};

/** Sizes to begin with. */
export const sizes = [
  { name: "cpu", form: { gpus: "0", vramGib: "0", cpu: "1", memoryGib: "1", diskGib: "10" } },
  { name: "gpu24", form: { gpus: "1", vramGib: "24", cpu: "4", memoryGib: "16", diskGib: "50" } },
  { name: "gpu80", form: { gpus: "1", vramGib: "80", cpu: "8", memoryGib: "64", diskGib: "100" } },
  { name: "gpu8", form: { gpus: "8", vramGib: "80", cpu: "64", memoryGib: "512", diskGib: "500" } },
] as const satisfies { name: string; form: Partial<Form> }[];

/** The form that publishes a workspace again. */
export function formOfWorkspace(workspace: Schema<"Workspace">): Form {
  const config = workspace.config as { ports?: number[]; command?: string[]; env?: Record<string, string> };
  const { image, replicas, gpu, cpu, memoryMib, diskGib, region, maxPricePerSecond } = workspace;
  return {
    name: "",
    image,
    replicas: String(replicas.wanted),
    region: region ?? "",
    ports: (config.ports ?? []).join(", "),
    command: (config.command ?? []).join("\n"),
    env: Object.entries(config.env ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join("\n"),
    gpus: String(gpu.count),
    gpuModel: gpu.model ?? "",
    vramGib: vramOf(gpu.minVramMib),
    cpu: String(cpu),
    memoryGib: String(memoryMib / 1024),
    diskGib: String(diskGib),
    pricePerHour: decimalOf(BigInt(maxPricePerSecond) * hour),
  };
}

/** The size that a card is sold with, of the least memory that its driver reports: a little less. */
const vramOf = (mib: number) => String(Math.ceil(mib / 1024));

export const imagePattern = /^[a-z0-9][a-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$/;

/** The body of `POST /v1/workspaces`, and of the question where it would fit. The API checks the values. */
export function workspaceOf(form: Form, image = form.image): Schema<"NewWorkspace"> {
  const gpus = numberOf(form.gpus);
  const command = form.command.split("\n").filter((line) => line !== "");
  const env = envOf(form.env);
  return {
    image,
    ...(form.name === "" ? {} : { name: form.name }),
    ports: form.ports
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(numberOf),
    ...(command.length === 0 ? {} : { command }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    replicas: numberOf(form.replicas),
    ...(gpus === 0 ? {} : { gpu: gpuOf(form, gpus) }),
    cpu: numberOf(form.cpu),
    memoryMib: Math.round(numberOf(form.memoryGib) * 1024),
    diskGib: numberOf(form.diskGib),
    ...(form.region === "" ? {} : { region: form.region.toUpperCase() }),
    maxPricePerSecond: String((unitsOf(form.pricePerHour) ?? 0n) / hour),
  } as Schema<"NewWorkspace">;
}

export const questionOf = (form: Form) =>
  workspaceOf(form, imagePattern.test(form.image) ? form.image : anyImage);

function gpuOf({ gpuModel, vramGib }: Form, count: number) {
  return { count, minVramGib: numberOf(vramGib), ...(gpuModel === "" ? {} : { model: gpuModel }) };
}

function numberOf(text: string): number {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? 0 : value;
}

/** Lines of `NAME=value`. */
function envOf(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")).trim(), line.slice(line.indexOf("=") + 1)]),
  );
}
