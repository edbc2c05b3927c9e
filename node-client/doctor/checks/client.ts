import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { NgpuError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { marketView } from "../../commands/market.ts";
import { isExposed } from "../../keys/files.ts";
import { isPrivateKey, statedAddress } from "../../keys/privateKey.ts";
import { marketUrl } from "../../network.ts";
import { requestClient } from "../../operator/controlClient.ts";
import type { NodeStatus } from "../../operator/status.ts";
import { version } from "../../version.ts";
import type { Check } from "../check.ts";
import { found, type Problem } from "../problems.ts";
import type { World } from "../world.ts";

/** @deadline The market to describe its newest client to the doctor. Nothing is known then. */
const manifestDeadline = 5_000;

/** Milliseconds for which a repair of the firewall's rules is a problem. */
const recentRepair = 3_600_000;

/** The node's files, the running client and what the market says of it. */
export const clientChecks: Record<string, Check> = {
  "node's directory": (world) => directoryProblems(world),
  "node's key": (world) => keyProblems(world),
  wallet: ({ env }) =>
    env.NODE_WALLET === undefined ? [found("wallet_not_set", "NODE_WALLET is not set.")] : [],
  client: (world) => clientProblems(world),
  "client's version": (world) => versionProblems(world),
};

function directoryProblems({ env: { NODE_DIR: dir } }: World): Problem[] {
  try {
    statSync(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT"
      ? [found("node_dir_missing", `There is no ${dir}.`, { dir })]
      : [found("settings_unreadable", `${dir}: ${code}`)];
  }
  try {
    accessSync(dir, constants.W_OK);
    return [];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EROFS")
      return [found("node_dir_read_only", `${dir} is on a read-only file system.`, { mount: dir })];
    return [found("settings_unreadable", `${dir}: ${code}`)];
  }
}

function keyProblems({ env: { NODE_DIR: dir } }: World): Problem[] {
  const path = join(dir, "node.key");
  try {
    const mode = statSync(path).mode & 0o777;
    if (isExposed(mode))
      return [found("node_key_exposed", `${path} has mode ${mode.toString(8)}.`, { path })];
    const text = readFileSync(path, "utf8").trim();
    return isPrivateKey(text) || statedAddress(text) !== undefined
      ? []
      : [found("node_key_invalid", `${path} contains neither a keystore nor a private key.`, { path })];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [found("node_key_missing", `There is no ${path}.`)];
    return [found("settings_unreadable", `${path}: ${code}`)];
  }
}

async function clientProblems({ env }: World): Promise<Problem[]> {
  let status: NodeStatus;
  try {
    status = (await requestClient(env.NODE_DIR, "GET", "/status")) as NodeStatus;
  } catch (error) {
    if (!(error instanceof NgpuError)) throw error;
    const code = error.code === "control_denied" ? "settings_unreadable" : "client_not_running";
    return [found(code, error.message)];
  }
  return [...ownProblems(status), ...(await marketsProblems(status))];
}

function ownProblems({ nodeId, drained, current, session, tunnels, walls }: NodeStatus): Problem[] {
  const problems: Problem[] = [];
  if (nodeId === null)
    problems.push(found("node_not_registered", "The registry does not list the node's key."));
  if (drained) problems.push(found("node_drained", "ngpu-node drain was run."));
  if (!session) problems.push(found("session_closed", "No session with match is open."));
  if (nodeId !== null && !current)
    problems.push(found("node_out_of_sync", "The client has not reached the chain's head."));
  if (nodeId !== null && tunnels === 0) problems.push(found("tunnel_closed", "No tunnel is open."));
  if (walls.state === "down")
    problems.push(found("walls_down", walls.failure ?? "The client gives no reason."));
  if (walls.repairedAt !== null && Date.now() - walls.repairedAt < recentRepair) {
    const last = new Date(walls.repairedAt).toISOString();
    problems.push(found("walls_flushed", `The rules were put back ${walls.repairs} times, last at ${last}.`));
  }
  return problems;
}

async function marketsProblems({ api, nodeId, wallet, address }: NodeStatus): Promise<Problem[]> {
  const { node } = await marketView(api, { nodeId, account: wallet ?? address });
  if (node === null) return [];
  const problems: Problem[] = [];
  if (node.status === "offline")
    problems.push(found("node_offline", `GET /v1/nodes/${nodeId}: status is offline.`));
  const { measurement } = node;
  const isExpired = measurement?.expiresAt != null && measurement.expiresAt * 1_000 < Date.now();
  if (measurement === null || isExpired) {
    const seen = measurement === null ? "no measurement" : `measurement ${measurement.id} has expired`;
    problems.push(found("measurement_missing", `GET /v1/nodes/${nodeId}: ${seen}.`));
  } else if (measurement.portsReachable === 0) {
    problems.push(found("ports_unreachable", `Measurement ${measurement.id} reached no port.`));
  }
  return problems;
}

async function versionProblems({ env: { NGPU_API: api } }: World): Promise<Problem[]> {
  if (api === undefined) return [];
  const url = marketUrl(api, "client/manifest.json");
  const served = await fetch(url, { signal: AbortSignal.timeout(manifestDeadline) })
    .then(async (response) => z.object({ version: z.string() }).parse(await response.json()).version)
    // A market need not serve a client; one that does not answer is reported elsewhere.
    .catch(() => undefined);
  if (served === undefined || !isNewer(served, version)) return [];
  return [
    found("client_outdated", `This is ${version}; the market serves ${served}.`, {
      api: api.replace(/\/$/, ""),
    }),
  ];
}

/** Whether a version of the form 1.2.3 is above another. */
function isNewer(served: string, own: string): boolean {
  const parts = (text: string) => text.split(/[.-]/).slice(0, 3).map(Number);
  const [a, b] = [parts(served), parts(own)];
  const index = a.findIndex((part, at) => part !== b[at]);
  return index !== -1 && (a[index] ?? 0) > (b[index] ?? 0);
}
