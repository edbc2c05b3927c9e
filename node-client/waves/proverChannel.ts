import { type Duplex, PassThrough } from "node:stream";
import type { Channel } from "@ngpu/proof/prover";
import { messageOf } from "@ngpu/runtime/errors";
import { calling, type Engine } from "../docker/engine.ts";
import { framesOf } from "../docker/frames.ts";

/** The prover in the probe's image. */
const command = ["/usr/local/bin/node", "/app/prover/bin/prover.mjs"];
/** Huge pages for the prover's memory: a random read needs no walk through the page tables. */
const hugePages = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";

/**
 * Starts a prover's process in a container. The engine cannot end a process, so it ends with its input, and with its
 * container.
 *
 * @throws RetryableError or FatalError of the engine
 */
export async function startProverIn(engine: Engine, containerId: string, env: string[]): Promise<Channel> {
  const { docker } = engine;
  const exec = await calling(docker, () =>
    docker.getContainer(containerId).exec({
      Cmd: command,
      Env: [hugePages, ...env],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
    }),
  );
  const io = await calling(docker, () => exec.start({ hijack: true, stdin: true, Tty: false }));
  // A prover is silent while it computes. Each of its steps has a deadline of its own.
  if ("setTimeout" in io) (io as Duplex & { setTimeout(ms: number): void }).setTimeout(0);
  return channelOf(io);
}

function channelOf(io: Duplex): Channel {
  const output = new PassThrough();
  const errors = new PassThrough();
  const separate = async () => {
    for await (const { stream, bytes } of framesOf(io)) (stream === "stdout" ? output : errors).write(bytes);
  };
  const ended = separate()
    .then(() => "its output ended", messageOf)
    .finally(() => {
      output.end();
      errors.end();
    });
  return { input: io, output, errors, kill: () => void io.destroy(), ended };
}
