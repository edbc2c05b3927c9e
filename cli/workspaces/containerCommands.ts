import type { ApiClient } from "@ngpu/api-client/client";
import { attachExec } from "@ngpu/api-client/exec";
import { FatalError } from "@ngpu/runtime/errors";
import { safe } from "../shared/output.ts";

/** The container of a replica. */
export type Container = { api: ApiClient; apiKey: string; workspaceId: string; replica: number };

/** How a command ended. */
export type Ended = { exitCode: number; stderr: string };

/** Characters of a command's errors that are kept. */
const keptErrors = 4_000;

type Streams = {
  stdin?: AsyncIterable<Uint8Array>;
  /** The next output is asked for when it has resolved. */
  onStdout?: (bytes: Uint8Array) => Promise<void>;
};

/**
 * Runs a command in a container. A lost connection is made again.
 *
 * @throws FatalError `exec_session_lost`; what the API refuses.
 */
export async function runWithStreams(
  container: Container,
  command: string[],
  streams: Streams,
): Promise<Ended> {
  const { api, apiKey, workspaceId, replica } = container;
  const body = { command, replica, tty: false };
  const { id } = await api.call("POST /v1/workspaces/{id}/exec", { path: { id: workspaceId }, body });
  const decoder = new TextDecoder();
  let stderr = "";
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt);
  try {
    const { reason, exitCode } = await attachExec(
      { url: api.url, apiKey, api },
      { workspaceId, id },
      {
        onStdout: streams.onStdout ?? (() => undefined),
        onStderr: (bytes) => {
          if (stderr.length < keptErrors) stderr += decoder.decode(bytes, { stream: true });
        },
        stdin: streams.stdin,
        signal: interrupted.signal,
      },
    );
    if (exitCode !== null && !interrupted.signal.aborted) return { exitCode, stderr };
    throw new FatalError(`The session has ended: ${reason.replaceAll("_", " ")}.`, {
      code: "exec_session_lost",
      hint: "ngpu describe shows what runs. Run the command again.",
    });
  } finally {
    process.off("SIGINT", interrupt);
  }
}

/** The exit code of a command whose output does not matter. */
export async function runQuietly(container: Container, command: string[]): Promise<number> {
  return (await runWithStreams(container, command, {})).exitCode;
}

export function copyFailed({ exitCode, stderr }: Ended): FatalError {
  const isMissing = exitCode === 126 || exitCode === 127;
  const said = safe(stderr).trim().slice(0, 500);
  return new FatalError(
    isMissing ? "The container has no tar." : `tar ended with ${exitCode}${said === "" ? "." : `: ${said}`}`,
    {
      code: isMissing ? "container_tar_missing" : "copy_failed",
      hint: isMissing
        ? "Copying needs the program tar in the image."
        : "Check that the path exists in the container, and that its user may read or write it.",
    },
  );
}
