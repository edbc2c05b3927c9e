import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { signalGroup } from "../../scripts/embedded/leftovers.ts";
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
