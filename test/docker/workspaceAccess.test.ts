import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import {
  channels,
  createFrameReader,
  type ExecControl,
  type ExecStatus,
  execBytes,
  frameOf,
} from "@ngpu/protocol/exec";
import type { LogGap, LogLine } from "@ngpu/protocol/logLines";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import Docker from "dockerode";
import { openEngine } from "../../node-client/docker/engine.ts";
import { sandbox } from "../../node-client/docker/sandbox.ts";
import { createNodeRequests } from "../../node-client/nodeRequests.ts";
import type { Container } from "../../node-client/reconcileFacts.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";
import { eventually } from "../services/support/context.ts";

const image = "ngpu-test-shell";
const docker = new Docker();
const lease = { workspaceId: 1n, replica: 0, lease: 1 };

describe("lines and commands of a container on a real engine", function () {
  this.timeout(180_000);
  const stop = new AbortController();
  const made: Docker.Container[] = [];
  let current: Container | undefined;
  let server: Http2Server;
  let session: ClientHttp2Session;

  before(async () => {
    await importShell();
    const requests = createNodeRequests({
      engine: openEngine({ socket: engineSocket(process.env.DOCKER_HOST), market: "00000000", node: "0x" }),
      current: () => (current === undefined ? undefined : { container: current }),
      logger: createLogger("test", process.env.TEST_LOG_LEVEL ?? "silent"),
      signal: stop.signal,
    });
    server = createServer();
    server.on("stream", (stream, headers) => requests.answer(stream, String(headers[":path"])));
    await once(server.listen(0, "127.0.0.1"), "listening");
    session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(async () => {
    stop.abort();
    session.destroy();
    server.close();
    for (const container of made) await container.remove({ force: true });
  });

  /** Starts a container of the lease, within the limits of a workspace's. */
  const start = async (script: string, size = "10m") => {
    const limits = sandbox({ memoryMib: 64, cpuMilli: 1_000, pids: 64, tmpMib: 16 });
    const container = await docker.createContainer({
      Image: image,
      Cmd: ["/bin/sh", "-c", script],
      User: "65534:65534",
      StopTimeout: 1,
      HostConfig: {
        ...limits,
        NetworkMode: "none",
        LogConfig: { Type: "json-file", Config: { "max-size": size, "max-file": "2" } },
      },
    });
    made.push(container);
    await container.start();
    current = {
      ...lease,
      id: container.id,
      fence: "0x",
      status: "running",
      exitCode: 0,
      oomKilled: false,
      error: "",
      startedAt: 0,
      finishedAt: 0,
      ports: {},
      servedPort: undefined,
      gpuUuids: [],
    };
    return container;
  };

  type Entry = LogLine | LogGap;
  /** Reads lines until `wanted` says so; then the request is cut. */
  const read = async (query: string, wanted: (entry: Entry) => boolean): Promise<Entry[]> => {
    const stream = session.request({ ":path": `/n/1/0/1/logs?${query}` });
    const entries: Entry[] = [];
    let rest = "";
    for await (const chunk of stream.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") continue;
        entries.push(JSON.parse(line) as Entry);
        if (wanted(entries.at(-1) as Entry)) {
          stream.destroy();
          return entries;
        }
      }
    }
    return entries;
  };
  const textOf = (entry: Entry) => ("gap" in entry ? `gap: ${entry.gap.reason}` : (entry.text ?? ""));

  it("reads both streams, and every line once across cuts while they are written", async () => {
    const script = "n=0; while [ $n -lt 600 ]; do echo out $n; echo err $n >&2; n=$((n+1)); done; sleep 600";
    await start(script);
    const all: Entry[] = [];
    for (let cursor = ""; all.length < 1_200; ) {
      const wanted = all.length + 170;
      let count = all.length;
      const some = await read(
        `follow=true${cursor === "" ? "" : `&cursor=${cursor}`}`,
        () => ++count >= Math.min(wanted, 1_200),
      );
      all.push(...some);
      cursor = all.at(-1)?.cursor ?? "";
    }
    for (const stream of ["stdout", "stderr"]) {
      const own = all.filter((entry) => !("gap" in entry) && entry.stream === stream).map(textOf);
      const name = stream === "stdout" ? "out" : "err";
      expect(own).to.deep.equal(Array.from({ length: 600 }, (_, n) => `${name} ${n}`));
    }
  });

  it("shows the lines that rotation took as a gap, and has all others", async () => {
    await start(
      "echo first; sleep 3; n=0; while [ $n -lt 2000 ]; do echo line $n; n=$((n+1)); done; echo last; sleep 600",
      "20k",
    );
    const [first] = await read("follow=true", () => true);
    expect(textOf(first as Entry)).to.equal("first");
    const entries = await read(`follow=true&cursor=${first?.cursor}`, (entry) => textOf(entry) === "last");
    const [gap, ...rest] = entries;
    expect((gap as LogGap).gap.reason).to.equal("rotated");
    const numbers = rest.slice(0, -1).map((entry) => Number(textOf(entry).split(" ")[1]));
    expect(numbers).to.deep.equal(
      Array.from({ length: numbers.length }, (_, n) => 2_000 - numbers.length + n),
    );
    expect((gap as LogGap).gap.until).to.equal((rest[0] as LogLine).time);
  });

  it("runs a command without a terminal: streams, input, exit code", async () => {
    await start("sleep 600");
    const id = await begin(["/bin/sh", "-c", "echo out; echo err >&2; read line; echo got $line; exit 5"]);
    const command = attach(id);
    command.input("hello\n");
    const ended = await command.ended;
    expect(ended).to.deep.equal({ type: "ended", reason: "exited", exitCode: 5 });
    expect([command.text("stdout"), command.text("stderr")]).to.deep.equal(["out\ngot hello\n", "err\n"]);
  });

  it("ends a command's input", async () => {
    await start("sleep 600");
    const command = attach(await begin(["cat"]));
    command.input("all\n");
    command.control({ type: "eof" });
    expect(await command.ended).to.deep.equal({ type: "ended", reason: "exited", exitCode: 0 });
    expect(command.text("stdout")).to.equal("all\n");
  });

  it("runs a shell with a terminal that is resized", async () => {
    await start("sleep 600");
    const id = await begin(["/bin/sh"], true);
    const shell = attach(id);
    shell.control({ type: "resize", columns: 91, rows: 17 });
    await eventually("the size", () => {
      shell.input("stty size\n");
      return shell.text("stdout").includes("17 91");
    });
    shell.input("exit 4\n");
    expect(await shell.ended).to.deep.equal({ type: "ended", reason: "exited", exitCode: 4 });
  });

  it("runs commands as the container's user, who can write nothing but /tmp", async () => {
    await start("sleep 600");
    const command = attach(
      await begin(["/bin/sh", "-c", "echo x > /file || echo x > /tmp/file && cat /tmp/file"]),
    );
    await command.ended;
    expect(command.text("stdout")).to.equal("x\n");
    expect(command.text("stderr")).to.match(/Read-only file system/);
  });

  it("attaches again without losing a byte, while the command waits", async () => {
    await start("sleep 600");
    const id = await begin(["/bin/sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"]);
    let bytes = 0;
    for (let round = 0; round < 5; round++) {
      const command = attach(id, bytes);
      await eventually("some output", () => command.bytes() > 100_000);
      bytes += command.bytes();
      command.cut();
    }
    const last = attach(id, bytes);
    expect((await last.ended).exitCode).to.equal(0);
    expect(bytes + last.bytes()).to.equal(3_000_005);
    expect(last.text("stdout").endsWith("x\nend\n")).to.equal(true);
  });

  it("kills a command when its client ends it", async () => {
    const container = await start("sleep 600");
    const command = attach(await begin(["sleep", "777"]));
    const processes = async () => (await container.top()).Processes.flat().join(" ");
    await eventually("the command", async () => (await processes()).includes("777"));
    command.control({ type: "end" });
    expect((await command.ended).reason).to.equal("ended_by_client");
    await eventually("its end", async () => !(await processes()).includes("777"));
  });

  it("says what cannot be started", async () => {
    await start("sleep 600");
    const stream = session.request({ ":path": "/n/1/0/1/exec", ":method": "POST" });
    stream.end(JSON.stringify({ id: randomUUID(), command: ["/no/such"], tty: false }));
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    stream.resume();
    const isRefused = headers["x-ngpu-error"] === "exec_not_started";
    // Some engines say so only by the command's exit code.
    expect(isRefused || headers[":status"] === (200 as never)).to.equal(true);
  });

  const begin = async (command: string[], tty = false): Promise<string> => {
    const id = randomUUID();
    const stream = session.request({ ":path": "/n/1/0/1/exec", ":method": "POST" });
    stream.end(JSON.stringify({ id, command, tty }));
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(`${headers[":status"]} ${headers["x-ngpu-reason"] ?? ""}${await text(stream)}`).to.match(/^200 /);
    return id;
  };

  const attach = (id: string, output = 0) => {
    const path = `/n/1/0/1/exec/${id}?output=${output}&acks=true`;
    const stream = session.request({ ":path": path, ":method": "POST" }, { endStream: false });
    const reader = createFrameReader();
    const parts: { channel: number | undefined; bytes: Buffer }[] = [];
    const ended = Promise.withResolvers<Extract<ExecStatus, { type: "ended" }>>();
    let bytes = 0;
    let isCut = false;
    const control = (said: ExecControl) => stream.write(frameOf(execBytes(channels.control, said)));
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => {
      for (const message of reader.take(chunk)) {
        if (isCut) return;
        const [channel] = message;
        const payload = message.subarray(1);
        if (channel === channels.status) {
          const status = JSON.parse(payload.toString()) as ExecStatus;
          if (status.type === "ended") ended.resolve(status);
          continue;
        }
        parts.push({ channel, bytes: payload });
        bytes += payload.length;
        control({ type: "ack", output: output + bytes });
      }
    });
    return {
      control,
      ended: ended.promise,
      input: (given: string) => stream.write(frameOf(execBytes(channels.stdin, Buffer.from(given)))),
      bytes: () => bytes,
      text: (name: "stdout" | "stderr") =>
        Buffer.concat(
          parts.filter(({ channel }) => channel === channels[name]).map((part) => part.bytes),
        ).toString(),
      cut: () => {
        isCut = true;
        stream.destroy();
      },
    };
  };
});

/** An image with this machine's shell and a few of its programs. */
async function importShell(): Promise<void> {
  const programs = ["sh", "cat", "sleep", "head", "tr", "stty"].map((name) =>
    execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(),
  );
  const libraries = programs.flatMap(
    (program) => execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+/g) ?? [],
  );
  const paths = [...new Set([...programs, ...libraries, "/bin/sh"])];
  const tar = execFileSync("tar", ["-chf", "-", "--hard-dereference", ...paths], {
    maxBuffer: 1e8,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const progress = await docker.importImage(Readable.from([tar]), { repo: image });
  await new Promise((resolve, reject) =>
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve(undefined))),
  );
}
