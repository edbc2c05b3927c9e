import { type ChildProcess, spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { json } from "node:stream/consumers";

type Command = { words: string[]; tty: boolean; child?: ChildProcess; exitCode?: number };

/** The engine's API of commands in containers. They run as processes of this machine. */
export function serveProcesses() {
  const commands = new Map<string, Command>();
  return {
    running: () =>
      [...commands.values()].filter(({ child, exitCode }) => child && exitCode === undefined).length,
    /** Answers a request; false: it is none of these. */
    answer: (request: IncomingMessage, response: ServerResponse): boolean => {
      const path = new URL(request.url ?? "/", "http://engine").pathname.replace(/^\/v[\d.]+/, "");
      const send = (body: unknown, status = 200) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      if (/^\/containers\/[^/]+\/exec$/.test(path)) {
        void json(request).then((body) => {
          const id = `e${commands.size + 1}`;
          const { Cmd: words, Tty: tty = false } = body as { Cmd: string[]; Tty?: boolean };
          commands.set(id, { words, tty });
          send({ Id: id }, 201);
        });
        return true;
      }
      const [, id = "", action] = /^\/exec\/([^/]+)\/(json|resize)/.exec(path) ?? [];
      const command = commands.get(id);
      if (command === undefined) return false;
      if (action === "resize") send({}, 201);
      else send({ Running: command.exitCode === undefined, ExitCode: command.exitCode ?? null, Pid: 0 });
      return true;
    },
    /** Starts a command: its input and output take the connection over. */
    start: (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const id = /\/exec\/([^/]+)\/start/.exec(request.url ?? "")?.[1] ?? "";
      const command = commands.get(id);
      if (command === undefined) return socket.destroy();
      socket.on("error", () => socket.destroy());
      socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
      const [program = "false", ...args] = command.tty ? onTerminal(command.words) : command.words;
      const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
      command.child = child;
      child.stdin.on("error", () => undefined);
      withoutBody(socket, head, Number(request.headers["content-length"] ?? 0), child.stdin);
      if (command.tty) child.stdout.pipe(socket, { end: false });
      else for (const number of [1, 2] as const) pass(child, number, socket);
      child.once("error", () => {
        command.exitCode = 127;
        socket.end();
      });
      child.once("close", (code) => {
        command.exitCode ??= code ?? 137;
        socket.end();
      });
      socket.once("close", () => child.kill("SIGKILL"));
      return undefined;
    },
    stop: () => {
      for (const { child } of commands.values()) child?.kill("SIGKILL");
    },
  };
}

/** The command on a terminal of its own, as the engine's `Tty` gives it: its output has no frames. */
function onTerminal(words: readonly string[]): string[] {
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return ["script", "--quiet", "--return", "--command", quoted.join(" "), "/dev/null"];
}

/** Passes what follows the request's body. */
function withoutBody(socket: Duplex, head: Buffer, bodyLength: number, to: NodeJS.WritableStream) {
  let left = bodyLength;
  const take = (chunk: Buffer) => {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (skipped < chunk.length && !to.write(chunk.subarray(skipped))) {
      socket.pause();
      to.once("drain", () => socket.resume());
    }
  };
  take(head);
  socket.on("data", take);
  socket.once("end", () => to.end());
}

function pass(child: ChildProcess, number: 1 | 2, socket: Duplex) {
  const from = number === 1 ? child.stdout : child.stderr;
  from?.on("data", (bytes: Buffer) => {
    const frame = Buffer.alloc(8);
    frame[0] = number;
    frame.writeUInt32BE(bytes.length, 4);
    socket.write(frame);
    if (socket.write(bytes)) return;
    from.pause();
    socket.once("drain", () => from.resume());
  });
}
