import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { FatalError } from "@ngpu/runtime/errors";
import type { Command } from "commander";

type Options = { follow?: true; lines: string; json?: true; since?: string };

/** Adds the command that shows the service's log. */
export function addLogsCommand(program: Command): void {
  program
    .command("logs")
    .description("show the log of the service, as systemd's journal keeps it")
    .option("-f, --follow", "continue with new lines")
    .option("-n, --lines <count>", "number of the latest lines", "200")
    .option("--since <time>", "lines since a time that journalctl accepts, such as '1 hour ago'")
    .option("--json", "the client's own JSON lines")
    .action(showLogs);
}

async function showLogs({ follow, lines, json, since }: Options): Promise<void> {
  const args = ["--unit=ngpu-node", "--output=cat", "--no-pager", `--lines=${lines}`];
  if (follow) args.push("--follow");
  if (since !== undefined) args.push(`--since=${since}`);
  const child = spawn("journalctl", args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", (cause) => reject(unavailable(cause)));
    child.on("close", (code) => resolve(code ?? 1));
  });
  // A reader such as head may close the pipe.
  process.stdout.on("error", () => child.kill());
  const print = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      process.stdout.write(`${json ? line : readableLine(line)}\n`);
    }
  };
  const [code] = await Promise.all([ended, print()]);
  if (code !== 0) process.exitCode = 1;
}

function unavailable(cause: Error): FatalError {
  return new FatalError(`journalctl cannot be run: ${cause.message}.`, {
    code: "logs_unavailable",
    hint: "Without systemd the client prints its log: look where its output goes.",
    cause,
  });
}

/** A JSON line of the client as `time level event key=value …`. Other lines stay as they are. */
export function readableLine(line: string): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof entry !== "object" || entry === null || !("event" in entry)) return line;
  const {
    time,
    level,
    event,
    name: _name,
    pid: _pid,
    hostname: _host,
    ...rest
  } = entry as Record<string, unknown>;
  const values = Object.entries(rest).map(([key, value]) => `${key}=${plain(value)}`);
  return [String(time), String(level).padEnd(5), String(event), ...values].join(" ");
}

function plain(value: unknown): string {
  return typeof value === "string" && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}
