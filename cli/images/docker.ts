import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { FatalError } from "@ngpu/runtime/errors";

export type Ran = { code: number; stdout: string; stderr: string };

/** Docker's program, with a configuration of its own that has this key: the user's own is left as it is. */
export type DockerCli = {
  /** @param onLine Gets the lines of stdout as they come. */
  run(args: readonly string[], onLine?: (line: string) => void): Promise<Ran>;
  close(): Promise<void>;
};

/**
 * @param login The registry, and the API key that it takes as a password.
 * @throws FatalError `docker_not_installed`
 */
export async function openDockerCli(login: { registry: string; key: string }): Promise<DockerCli> {
  // The engine of the user's context, which is in the configuration that is replaced.
  const context = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
  const host = process.env.DOCKER_HOST ?? (await runDocker(context, process.env)).stdout.trim();
  const dir = await mkdtemp(join(tmpdir(), "ngpu-docker-"));
  const auth = Buffer.from(`ngpu:${login.key}`).toString("base64");
  const config = JSON.stringify({ auths: { [login.registry]: { auth } } });
  await writeFile(join(dir, "config.json"), config, { mode: 0o600 });
  const { DOCKER_CONTEXT: _replaced, ...inherited } = process.env;
  const env = { ...inherited, DOCKER_CONFIG: dir, ...(host !== "" && { DOCKER_HOST: host }) };
  return {
    run: (args, onLine) => runDocker(args, env, onLine),
    close: () => rm(dir, { recursive: true, force: true }),
  };
}

async function runDocker(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine?: (line: string) => void,
): Promise<Ran> {
  const child = spawn("docker", args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (cause: NodeJS.ErrnoException) => reject(notInstalled(cause)));
    child.once("close", (code) => resolve(code ?? 1));
  });
  const lines = async () => {
    let all = "";
    let rest = "";
    for await (const chunk of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
      all += chunk;
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) onLine?.(line.trimEnd());
    }
    return all;
  };
  const [code, stdout, stderr] = await Promise.all([ended, lines(), text(child.stderr)]);
  return { code, stdout, stderr };
}

function notInstalled(cause: NodeJS.ErrnoException): Error {
  if (cause.code !== "ENOENT") return cause;
  return new FatalError("The program docker is not installed.", {
    code: "docker_not_installed",
    hint: "Install it, or push with another tool to the host of probeImage in GET /v1/network.",
    cause,
  });
}
