import type { Schema } from "@ngpu/api-client/client";
import { decimalOf, unitsOf } from "../../format.ts";
import type { Workspace } from "./types.ts";

/** What can be changed of a workspace that runs, as text. */
export type UpdateForm = {
  image: string;
  command: string;
  env: string;
  health: string;
  replicas: string;
  pricePerHour: string;
};

type Config = { command?: string[]; env?: Record<string, string>; health?: string };

const hour = 3_600n;

export function formOf(workspace: Workspace): UpdateForm {
  const config = workspace.config as Config;
  return {
    image: workspace.image,
    command: (config.command ?? []).join("\n"),
    env: Object.entries(config.env ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join("\n"),
    health: config.health ?? "/healthz",
    replicas: String(workspace.replicas.wanted),
    pricePerHour: decimalOf(BigInt(workspace.maxPricePerSecond) * hour),
  };
}

/** The document that the form describes, for people: lines in a fixed order. */
export function documentOf(form: UpdateForm): string {
  const env = form.env.split("\n").filter((line) => line.includes("="));
  const command = form.command.split("\n").filter((line) => line !== "");
  return [
    `image: ${form.image}`,
    `health: ${form.health}`,
    `replicas: ${form.replicas}`,
    `highest price: ${form.pricePerHour} NGPU/h`,
    ...(command.length === 0
      ? ["command: that of the image"]
      : ["command:", ...command.map((one) => `  ${one}`)]),
    ...(env.length === 0
      ? ["environment: none"]
      : ["environment:", ...env.toSorted().map((one) => `  ${one}`)]),
  ].join("\n");
}

/** The fields that differ, as the API takes them. */
export function updateOf(before: UpdateForm, form: UpdateForm): Schema<"WorkspaceUpdate"> {
  const changed = (name: keyof UpdateForm) => before[name].trim() !== form[name].trim();
  const lines = (text: string) => text.split("\n").filter((line) => line !== "");
  return {
    ...(changed("image") ? { image: form.image.trim() } : {}),
    ...(changed("command") ? { command: lines(form.command) } : {}),
    ...(changed("env") ? { env: envOf(lines(form.env)) } : {}),
    ...(changed("health") ? { health: form.health.trim() } : {}),
    ...(changed("replicas") ? { replicas: Number(form.replicas) } : {}),
    ...(changed("pricePerHour")
      ? { maxPricePerSecond: String((unitsOf(form.pricePerHour) ?? 0n) / hour) }
      : {}),
  } as Schema<"WorkspaceUpdate">;
}

const envOf = (lines: readonly string[]) =>
  Object.fromEntries(
    lines
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")).trim(), line.slice(line.indexOf("=") + 1)]),
  );
