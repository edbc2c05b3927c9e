import { createServer } from "node:net";
import { FatalError } from "@ngpu/runtime/errors";
import getPort from "get-port";
import { errorCode } from "./leftovers.ts";

/**
 * A port on 127.0.0.1: the one asked for, or any free one.
 *
 * @param option what the user sets to choose the port, named in the error: `--api-port`
 * @throws FatalError `port_in_use` or `port_forbidden` when the port asked for cannot be had
 */
export async function choosePort({
  option,
  port,
}: {
  option: string;
  port?: number | undefined;
}): Promise<number> {
  if (port === undefined) return getPort({ host: "127.0.0.1" });
  const failure = await tryListen(port);
  if (failure === undefined) return port;
  if (failure === "EADDRINUSE") {
    throw new FatalError(`Port ${port} is in use.`, {
      code: "port_in_use",
      hint: `Choose another with ${option}, or omit ${option} to use any free port.`,
    });
  }
  throw new FatalError(`Port ${port} cannot be opened (${failure}).`, {
    code: "port_forbidden",
    hint: `Choose a port from 1024 to 65535 with ${option}, or omit ${option} to use any free port.`,
  });
}

/** The code of the error that listening gives, undefined when the port is free. */
function tryListen(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => resolve(errorCode(error) ?? error.message));
    try {
      server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(undefined)));
    } catch (error) {
      // Node throws at once for what is no port number at all.
      const code = errorCode(error);
      if (code === undefined) reject(error);
      else resolve(code);
    }
  });
}
