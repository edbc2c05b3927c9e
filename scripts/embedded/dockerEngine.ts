import { FatalError, messageOf } from "@ngpu/runtime/errors";
import Docker from "dockerode";
import { errorCode } from "./leftovers.ts";

/** Result of a version request to an engine. */
export type EngineAnswer =
  | { kind: "answers"; version: string }
  /** Nothing listens on the socket. */
  | { kind: "absent" }
  | { kind: "forbidden" }
  | { kind: "silent"; reason: string };

const DEFAULT_SOCKET = "/var/run/docker.sock";
// With socket activation, the request itself makes systemd start the engine, which takes a while.
const ANSWER_DEADLINE_MS = 10_000;

/**
 * The socket of the user's engine: DOCKER_HOST, else the usual one.
 *
 * @throws FatalError `docker_host_remote` when DOCKER_HOST is no local socket
 */
export function engineSocket(dockerHost: string | undefined): string {
  if (dockerHost === undefined || dockerHost === "") return DEFAULT_SOCKET;
  if (dockerHost.startsWith("unix:///")) return dockerHost.slice("unix://".length);
  throw new FatalError(`DOCKER_HOST is ${dockerHost}, but this market runs its containers on this machine.`, {
    code: "docker_host_remote",
    hint: "Unset DOCKER_HOST, or set it to unix:// and the full path of a local engine's socket.",
  });
}

/** Requests the version of the engine on a socket. An engine without a response within 10 s counts as silent. */
export async function queryEngine(
  socketPath: string,
  deadlineMs = ANSWER_DEADLINE_MS,
): Promise<EngineAnswer> {
  try {
    const { Version } = await new Docker({ socketPath, timeout: deadlineMs }).version();
    return { kind: "answers", version: Version };
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ECONNREFUSED") return { kind: "absent" };
    if (code === "EACCES" || code === "EPERM") return { kind: "forbidden" };
    return {
      kind: "silent",
      reason: code === "ECONNRESET" ? `no answer within ${deadlineMs / 1000} s` : messageOf(error),
    };
  }
}

/** The error for an engine that cannot be used. */
export function unusable(
  answer: { kind: "forbidden" } | { kind: "silent"; reason: string },
  socketPath: string,
) {
  if (answer.kind === "forbidden") {
    return new FatalError(`This user has no permission to use the Docker engine at ${socketPath}.`, {
      code: "docker_forbidden",
      hint: "Run: sudo usermod -aG docker $USER, log in again and start again; or start as root.",
    });
  }
  return new FatalError(`The Docker engine at ${socketPath} does not answer: ${answer.reason}.`, {
    code: "docker_unresponsive",
    hint: "Restart it (sudo systemctl restart docker), check that `docker version` answers, then start again.",
  });
}
