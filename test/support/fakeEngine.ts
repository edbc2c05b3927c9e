import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";

/** What an engine says of an image and of its containers. Unset: all is well, and the container ends with 0. */
export type Said = {
  /** Words with which the pull fails. */
  pull?: string;
  /** The pull ends when this resolves. */
  pullEnds?: Promise<void>;
  /** The image has another digest than the one that was pulled. */
  otherDigest?: true;
  /** Paths that the image declares as volumes. */
  volumes?: number;
  /** Other paths that it declares as volumes. */
  volumesAt?: string[];
  /** Labels of the image, which its containers inherit. */
  labels?: Record<string, string>;
  /** Is called when a file of a container is asked for. There is none. */
  onFile?: () => Promise<void>;
  /** Words with which a container cannot be created; undefined: it can. */
  create?: (body: Created) => string | undefined;
  exit?: { code: number; oomKilled?: boolean; log: string };
  /** The container runs; its first port is this one of this machine. */
  port?: number;
};

/** The body of a creation, in part. */
export type Created = {
  Image: string;
  Labels?: Record<string, string>;
  HostConfig?: {
    Mounts?: { Target: string; VolumeOptions?: { DriverConfig?: { Options?: { size?: string } } } }[];
    Tmpfs?: Record<string, string>;
  };
};

type Container = {
  id: string;
  name: string;
  image: string;
  labels: Record<string, string>;
  status: string;
  startedAt: string;
};

/** A Docker engine at a socket, of which the test says every answer, by the image's name. */
export async function startFakeEngine(socket: string, dataDir: string, said: (name: string) => Said) {
  const images = new Set<string>();
  const containers = new Map<string, Container>();
  const streams = new Set<ServerResponse>();
  /** When the engine first said the telling answer of an image, by its name. */
  const knownAt = new Map<string, number>();
  const know = (reference: string) => {
    const name = nameOf(reference);
    if (!knownAt.has(name)) knownAt.set(name, performance.now());
  };
  const changed = () => {
    for (const stream of streams) stream.write("{}\n");
  };
  const created: Created[] = [];
  const state = { images, containers, streams, created, know, changed, said, dataDir };
  const server = createServer((request, response) => {
    answer(state, request, response).catch(() => response.destroy());
  });
  await once(server.listen(socket), "listening");
  return {
    knownAt,
    /** The bodies of the creations that succeeded. */
    created,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

type State = {
  images: Set<string>;
  containers: Map<string, Container>;
  streams: Set<ServerResponse>;
  created: Created[];
  know: (reference: string) => void;
  changed: () => void;
  said: (name: string) => Said;
  dataDir: string;
};

/** `chat` of `127.0.0.1:9/chat@sha256:…` */
const nameOf = (reference: string) => /\/([^/@]+)@/.exec(reference)?.[1] ?? reference;

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://engine");
  const path = url.pathname.replace(/^\/v[\d.]+/, "");
  const send = (body: unknown, status = 200) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (path === "/info")
    return send({ ServerVersion: "1", DockerRootDir: state.dataDir, Runtimes: { nvidia: {} } });
  if (path === "/version") return send({ Os: "linux", Arch: "amd64" });
  if (path === "/networks") return send([{ Name: "ngpu", Id: "n1", Created: "1" }]);
  if (path === "/events") {
    state.streams.add(response);
    response.on("close", () => state.streams.delete(response));
    return response.flushHeaders();
  }
  if (path === "/images/create") return pull(state, url.searchParams, response);
  if (path.startsWith("/images/")) return image(state, decodeURIComponent(path), send);
  if (path === "/containers/json") return list(state, url.searchParams, send);
  if (path === "/containers/create") {
    const name = url.searchParams.get("name") ?? "";
    return create(state, { name, body: (await json(request)) as Created }, send);
  }
  return container(state, request.method ?? "GET", path, { send, response });
}

type Send = (body: unknown, status?: number) => void;

async function pull(
  { images, said, know }: State,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const reference = `${query.get("fromImage")}@${query.get("tag")}`;
  const { pull: error, pullEnds } = said(nameOf(reference));
  response.write('{"id":"layer","status":"Downloading","progressDetail":{"current":1,"total":2}}\n');
  await pullEnds;
  if (error === undefined) images.add(reference);
  else know(reference);
  response.end(
    error === undefined ? '{"id":"layer","status":"Pull complete"}\n' : `${JSON.stringify({ error })}\n`,
  );
}

function image({ images, said, know }: State, path: string, send: Send): void {
  const reference = path.replace(/^\/images\//, "").replace(/\/json$/, "");
  if (!images.has(reference)) return void send({ message: "No such image" }, 404);
  const { otherDigest, volumes = 0, volumesAt = [] } = said(nameOf(reference));
  if (otherDigest === true || volumes > 0) know(reference);
  const paths = [...Array.from({ length: volumes }, (_, at) => `/data/${at}`), ...volumesAt];
  const declared = Object.fromEntries(paths.map((path) => [path, {}]));
  const digest = otherDigest === true ? `x@sha256:${"0".repeat(64)}` : reference;
  send({
    Id: `sha256:${nameOf(reference)}`,
    RepoDigests: [digest],
    Size: 1,
    Os: "linux",
    Architecture: "amd64",
    Config: { User: "1000", Volumes: declared },
  });
}

function list({ containers }: State, query: URLSearchParams, send: Send): void {
  const { label = [] } = JSON.parse(query.get("filters") ?? "{}") as { label?: string[] };
  const has = ({ labels }: Container) =>
    label.every((one) => {
      const [name = "", value] = one.split("=");
      return value === undefined ? name in labels : labels[name] === value;
    });
  send([...containers.values()].filter(has).map(({ id }) => ({ Id: id })));
}

function create(
  { containers, created, said, know }: State,
  { name, body }: { name: string; body: Created },
  send: Send,
): void {
  const { Image: reference, Labels: labels = {} } = body;
  const { labels: inherited, create: refuse } = said(nameOf(reference));
  const error = refuse?.(body);
  if (error !== undefined) {
    know(reference);
    return void send({ message: error }, 500);
  }
  const id = `c${created.push(body)}`;
  containers.set(id, {
    id,
    name,
    image: reference,
    labels: { ...inherited, ...labels },
    status: "created",
    startedAt: "0001-01-01T00:00:00Z",
  });
  send({ Id: id }, 201);
}

function container(
  { containers, said, know, changed }: State,
  method: string,
  path: string,
  { send, response }: { send: Send; response: ServerResponse },
): void {
  const [, , id = "", action = ""] = path.split("/");
  const found = containers.get(id);
  if (found === undefined) return void send({ message: "No such container" }, 404);
  const { exit = { code: 0, log: "" }, port, onFile } = said(nameOf(found.image));
  if (method === "DELETE" || action === "stop") {
    if (method === "DELETE") containers.delete(id);
    else found.status = "exited";
    changed();
    return void response.writeHead(204).end();
  }
  if (action === "archive") {
    return void Promise.resolve(onFile?.()).then(() => send({ message: "no such file" }, 404));
  }
  if (action === "logs") return void response.end(frame(exit.log));
  if (action === "start") {
    found.status = port === undefined ? "exited" : "running";
    found.startedAt = new Date().toISOString();
    changed();
    return void response.writeHead(204).end();
  }
  if (found.status === "exited") know(found.image);
  send(described(found, exit, port));
}

function described(
  { id, name, labels, status, startedAt }: Container,
  exit: NonNullable<Said["exit"]>,
  port?: number,
) {
  return {
    Id: id,
    Name: `/${name}`,
    Config: { Labels: labels },
    State: {
      Status: status,
      ExitCode: status === "exited" ? exit.code : 0,
      OOMKilled: status === "exited" && exit.oomKilled === true,
      Error: "",
      StartedAt: startedAt,
      FinishedAt: status === "exited" ? new Date().toISOString() : "0001-01-01T00:00:00Z",
    },
    NetworkSettings: {
      Ports: port === undefined ? {} : { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] },
    },
  };
}

/** A frame of the engine's log stream. */
function frame(text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}
