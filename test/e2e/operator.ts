import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readKeyFile } from "@ngpu/update-repository/keys";
import { addRelease } from "@ngpu/update-repository/offline";
import { writeRelease } from "../../scripts/client/release.ts";
import { ownPlatform, type Platform } from "../../scripts/client/runtime.ts";
import { signalGroup } from "../../scripts/embedded/leftovers.ts";
import { releasesDir, updateKeys, updateRepository } from "../../scripts/start/releases.ts";
import { rootDir } from "../support/parts.ts";
import type { ScratchRoot } from "../support/scratchRoot.ts";

/** The README's operator command for this market and wallet, without sudo. */
export function operatorCommand(api: string, wallet: string): string {
  const readme = readFileSync(join(rootDir, "README.md"), "utf8");
  const command = readme
    .split("\n")
    .find((line) => line.startsWith("curl ") && line.includes("/install_mcNode.sh"));
  if (command === undefined) throw new Error("README.md has no operator command.");
  return command.replaceAll("https://market.example", api).replace("0x…", wallet).replace("sudo ", "");
}

/** The command that the script prints on a machine without systemd. */
export function foregroundCommand(printed: string): string {
  const command = printed.split("\n").find((line) => line.startsWith("  sh -c "));
  if (command === undefined) throw new Error(`The script printed no command:\n${printed}`);
  return command.trim();
}

/** Runs the installed client until `stop`. */
export function startInstalled(
  root: ScratchRoot,
  command: string,
): { output: () => string; stop: () => Promise<void> } {
  const child: ChildProcess = root.start(`exec ${command}`);
  const closed = once(child, "close");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  return {
    output: () => output,
    stop: async () => {
      if (child.pid !== undefined && child.exitCode === null) signalGroup(child.pid, "SIGTERM");
      await closed;
    },
  };
}

/** Runs an operator's command on the machine. @returns Its JSON. */
export async function operatorJson<Answer>(root: ScratchRoot, command: string): Promise<Answer> {
  const { code, stdout, stderr } = await root.run(`/usr/local/bin/ngpu-node ${command} --json`);
  if (stdout === "") throw new Error(`ngpu-node ${command} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Answer;
}

/** Writes and signs another version of the client, as a market's owner does, and rolls it out to all clients. */
export async function updateClients(dir: string, version: string): Promise<void> {
  const platforms = [ownPlatform() as Platform];
  const manifest = await writeRelease({ rootDir, outDir: releasesDir(dir), platforms, version });
  const archives = Object.entries(manifest.platforms).map(([platform, { sha256, bytes }]) => ({
    platform,
    sha256,
    bytes,
  }));
  const releases = readKeyFile(join(updateKeys(dir), "releases.pem"));
  addRelease(updateRepository(dir), releases, { version, archives }, Date.now());
  const { config } = JSON.parse(readFileSync(join(dir, "ports.json"), "utf8")) as { config: number };
  const token = readFileSync(join(dir, "config-token"), "utf8");
  const response = await fetch(`http://127.0.0.1:${config}/rollout`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ release: version, percent: 100 }),
  });
  if (!response.ok) throw new Error(`config answered ${response.status}: ${await response.text()}`);
}

export type NodeEntry = {
  id: number;
  wallet: string | null;
  nominatedWallet: string | null;
  status: string;
  connected: boolean;
};
export type NodeAnswer = NodeEntry & {
  session: { lastSeenAt: string } | null;
  uptime: { present: number };
  pricePerSecond: string;
};

/** Asks the API until the answer is what is waited for; after two minutes the error says what the client said. */
export async function eventually<Answer>(
  url: string,
  isIt: (answer: Answer) => boolean,
  seen: () => string,
): Promise<Answer> {
  const end = AbortSignal.timeout(120_000);
  for (;;) {
    const response = await fetch(url);
    const text = await response.text();
    if (response.ok) {
      const answer = JSON.parse(text) as Answer;
      if (isIt(answer)) return answer;
    }
    if (end.aborted) throw new Error(`${url} still answers ${response.status} ${text}\n${seen()}`);
    await delay(500);
  }
}
