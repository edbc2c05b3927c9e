import { attachExec } from "@ngpu/api-client/exec";
import { FatalError, InputError } from "@ngpu/runtime/errors";
import { endWith } from "../shared/exitCodes.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { findWorkspace } from "./find.ts";

type Options = GlobalOptions & { interactive?: boolean; tty?: boolean; replica?: number };

/** Runs a command in a container of a workspace, and ends with its exit code. */
export async function runCommand(given: string, command: string[], options: Options): Promise<void> {
  const { interactive = false, tty = false, replica = 0 } = options;
  if (tty && !process.stdout.isTTY) {
    throw new InputError("This program has no terminal.", {
      code: "terminal_missing",
      hint: "Run it in a terminal, or leave out -t.",
    });
  }
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const id = await findWorkspace(api, given);
  const size = tty ? { columns: process.stdout.columns, rows: process.stdout.rows } : {};
  const session = await api.call("POST /v1/workspaces/{id}/exec", {
    path: { id },
    body: { command, tty, replica, ...size },
  });
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const isRaw = tty && interactive && process.stdin.isTTY;
  if (isRaw) process.stdin.setRawMode(true);
  try {
    const end = await attachExec(
      { url: api.url, apiKey: settings.key ?? "", api },
      { workspaceId: id, id: session.id },
      {
        onStdout: (bytes) => process.stdout.write(bytes),
        onStderr: (bytes) => process.stderr.write(bytes),
        stdin: interactive ? process.stdin : undefined,
        signal: interrupted.signal,
        ...(tty ? { onSize: followSize } : {}),
      },
    );
    if (interrupted.signal.aborted) endWith("interrupted");
    else if (end.exitCode !== null) process.exitCode = end.exitCode;
    else throw lost(end.reason);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    if (isRaw) process.stdin.setRawMode(false);
    process.stdin.destroy();
  }
}

function followSize(resize: (columns: number, rows: number) => void): void {
  process.stdout.on("resize", () => resize(process.stdout.columns, process.stdout.rows));
}

const lost = (reason: string) =>
  new FatalError(`The session has ended: ${reason.replaceAll("_", " ")}.`, {
    code: "exec_session_lost",
    hint: "ngpu describe shows what runs. Run the command again.",
  });
