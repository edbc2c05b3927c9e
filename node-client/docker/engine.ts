import { FatalError, messageOf, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import Docker from "dockerode";

/** A Docker engine, and the labels of this node's containers on it: other nodes may share the engine. */
export type Engine = {
  docker: Docker;
  /** First 8 hex digits of the node registry's address. */
  market: string;
  /** Address of the node's key, lower case. */
  node: string;
};

export type EngineFacts = {
  version: string;
  /** Directory of images and volumes. */
  dataDir: string;
  /** Whether containers can use NVIDIA GPUs. */
  hasNvidia: boolean;
};

/** @deadline A byte of the Docker engine, in answer to a call or of an image pull. The connection is closed and the call is repeated. */
const engineSilence = 120_000;

export function openEngine(options: {
  socket: string;
  market: string;
  node: string;
  /** Milliseconds without a byte after which a call fails. Default 120,000. */
  silence?: number;
}): Engine {
  return {
    docker: new Docker({ socketPath: options.socket, timeout: options.silence ?? engineSilence }),
    market: options.market,
    node: options.node.toLowerCase(),
  };
}

/** Reads what the engine reports of itself. @throws RetryableError `engine_unreachable` when it does not respond. */
export async function engineFacts(docker: Docker): Promise<EngineFacts> {
  const info = (await calling(docker, () => docker.info())) as {
    ServerVersion: string;
    DockerRootDir: string;
    Runtimes?: Record<string, unknown>;
  };
  return {
    version: info.ServerVersion,
    dataDir: info.DockerRootDir,
    hasNvidia: Object.hasOwn(info.Runtimes ?? {}, "nvidia"),
  };
}

/** What the engine said when it refused a call; the error's own message when it said nothing. */
export function saidBy(error: unknown): string {
  const failure = error instanceof NgpuError ? error.cause : error;
  const { json } = (failure ?? {}) as { json?: { message?: unknown } };
  if (typeof json?.message === "string") return json.message;
  // Of an operation that streams, dockerode has the engine's sentence only after its own.
  return messageOf(failure)
    .replace(/^\(HTTP code \d+\) [a-z ]* - /, "")
    .trim();
}

/** The platform of the engine's machine, such as `linux/amd64`. */
export async function enginePlatform(docker: Docker): Promise<string> {
  const { Os, Arch } = await calling(docker, () => docker.version());
  return `${Os}/${Arch}`;
}

/** The HTTP status of an engine's error response; undefined for any other error. */
export function statusOf(error: unknown): number | undefined {
  const failure = error instanceof NgpuError ? error.cause : error;
  return (failure as { statusCode?: number } | undefined)?.statusCode;
}

/**
 * Calls the engine and translates its errors.
 *
 * @throws RetryableError `engine_unreachable` or `engine_failed`; FatalError `engine_refused` for a 4xx response.
 */
export async function calling<T>(docker: Docker, call: () => Promise<T>): Promise<T> {
  const silent = Promise.withResolvers<never>();
  // The modem closes a silent connection, but does not report it once the head of the response has arrived.
  const silence = silenceOf(docker);
  using _timer =
    silence === undefined
      ? undefined
      : setTimeout(() => silent.reject(new Error(`no answer within ${silence} ms`)), 1.5 * silence);
  try {
    return await Promise.race([call(), silent.promise]);
  } catch (error) {
    throw translate(docker, error);
  }
}

/** Milliseconds without a byte after which a connection to the engine is closed. */
export function silenceOf(docker: Docker): number | undefined {
  return (docker.modem as { timeout?: number } | undefined)?.timeout;
}

function translate(docker: Docker, error: unknown): NgpuError {
  if (error instanceof NgpuError) return error;
  const { code, statusCode, message, json } = error as NodeJS.ErrnoException & {
    statusCode?: number;
    json?: { message?: string };
  };
  if (statusCode === undefined) {
    const { socketPath = "the Docker engine" } = docker.modem as { socketPath?: string };
    return new RetryableError(`The Docker engine at ${socketPath} does not respond (${code ?? message}).`, {
      code: "engine_unreachable",
      hint:
        code === "EACCES"
          ? "Add this user to group docker, or run as root."
          : "Start it (systemctl start docker), or set NODE_DOCKER_SOCKET to its socket.",
      cause: error,
    });
  }
  const detail = json?.message ?? message;
  if (statusCode < 500) {
    return new FatalError(`The Docker engine refused the request (${statusCode}): ${detail}`, {
      code: "engine_refused",
      hint: "Resolve the reason that the engine gives, or update Docker.",
      cause: error,
    });
  }
  return new RetryableError(`The Docker engine failed (${statusCode}): ${detail}`, {
    code: "engine_failed",
    hint: "See the engine's log: journalctl -u docker",
    cause: error,
  });
}

/** The result of a call, or `otherwise` when the engine responds with one of these statuses. */
export async function tolerating<T, U>(
  statuses: number[],
  otherwise: U,
  call: () => Promise<T>,
): Promise<T | U> {
  try {
    return await call();
  } catch (error) {
    if (statuses.includes(statusOf(error) ?? 0)) return otherwise;
    throw error;
  }
}
