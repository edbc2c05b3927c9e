import { createServer } from "node:net";
import { FatalError } from "@ngpu/runtime/errors";
import getPort from "get-port";
import { errorCode } from "./leftovers.ts";

/**
 * A port on 127.0.0.1: the requested one, or any free one.
 *
 * @param option Option that chooses the port, named in the error: `--api-port`
 * @throws FatalError `port_in_use` or `port_forbidden` when the requested port is not available
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

/** The error code of listening on a port; undefined when the port is free. */
function tryListen(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => resolve(errorCode(error) ?? error.message));
    try {
      server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(undefined)));
    } catch (error) {
      // Node throws synchronously for an invalid port number.
      const code = errorCode(error);
      if (code === undefined) reject(error);
      else resolve(code);
    }
  });
}
