import { apiServerVariables } from "@ngpu/api-server/env";
import { autoExportVariables, verifyVariables } from "@ngpu/auto-export/env";
import { configVariables } from "@ngpu/config/env";
import { dispenseVariables } from "@ngpu/dispense/env";
import { gatewayVariables } from "@ngpu/gateway/env";
import { matchVariables } from "@ngpu/match/env";
import { measurerVariables, nodeVariables } from "@ngpu/node-client/env";
import { pomcVariables } from "@ngpu/pomc/env";
import { registryVariables } from "@ngpu/registry/env";
import { commonEnv } from "@ngpu/runtime/env";
import { webhooksVariables } from "@ngpu/webhooks/env";
import { workspaceVariables } from "@ngpu/workspace/env";
import { z } from "zod";
import { deployVariables } from "./deployEnv.ts";
import { startVariables } from "./start/env.ts";

type Variables = Record<string, z.ZodType>;

/** Every program, with its variables. */
export const programs: { title: string; variables: Variables }[] = [
  { title: "npm start: parts without a variable are embedded", variables: startVariables },
  { title: "npm run deploy", variables: deployVariables },
  { title: "Every service, the node client and the measurement node", variables: commonEnv },
  { title: "services/autoExport", variables: autoExportVariables },
  { title: "npm run export:verify", variables: verifyVariables },
  { title: "services/match", variables: matchVariables },
  { title: "services/workspace", variables: workspaceVariables },
  { title: "services/dispense", variables: dispenseVariables },
  { title: "services/registry", variables: registryVariables },
  { title: "services/pomc", variables: pomcVariables },
  { title: "services/gateway", variables: gatewayVariables },
  { title: "services/apiServer", variables: apiServerVariables },
  { title: "services/webhooks", variables: webhooksVariables },
  { title: "services/config", variables: configVariables },
  { title: "node-client/main.ts run: a compute node", variables: nodeVariables },
  { title: "node-client/main.ts measure: a measurement node", variables: measurerVariables },
];

/** Variables that every service reads; they are listed once. */
export const commonVariables: Variables = commonEnv;

/** Defaults that derive from the machine's name or the process's id are not listed. */
const machineSpecific = new Set(["INSTANCE"]);

/** The entry of a variable: whether it is required, its default as in an env file, and its description. */
export function meaningOf(name: string, schema: z.ZodType): { need: string; shown: string; says: string } {
  const value = machineSpecific.has(name) ? null : defaultOf(schema);
  const need = value === undefined ? "required" : value === null ? "optional" : "default shown";
  return { need, shown: shown(value), says: schema.description ?? name };
}

/** The default as in the file; undefined when the variable is required, null when it is optional. */
function defaultOf(schema: z.ZodType): unknown {
  const parsed = z.object({ value: schema }).safeParse({});
  if (!parsed.success) return undefined;
  return parsed.data.value === undefined ? null : parsed.data.value;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "object") return Object.values(value).join("-");
  return String(value).replace(process.cwd(), ".");
}
