import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownPlatform } from "../../scripts/client/runtime.ts";
import { rootDir } from "../support/parts.ts";

/** What an install script needs of a market: /v1/network, a release of the client, and on this machine an engine. */
export type FakeMarket = {
  api: string;
  /** The release's folder, as `--from` takes it. */
  releases: string;
  engine: string;
  /** What is sent as the date of an answer; undefined is now. */
  date: Date | undefined;
  network: { rpcUrls: string[]; matchUrls: string[]; gatewayUrls: string[] };
  /** Serves another release from now on. */
  release(client: { version: string; bundle: string }): void;
  stop(): void;
};

/** @param keystore The program beside the client that decrypts its key. */
export async function fakeMarket(
  client: { version: string; bundle: string },
  keystore: string,
): Promise<FakeMarket> {
  const folder = mkdtempSync(join(tmpdir(), "ngpu-market-"));
  const releases = join(folder, "client");
  const engine = join(folder, "docker.sock");
  const servers: Server[] = [];
  const serve = async (
    address: { path: string } | { port: number; host: string },
    answer: RequestListener,
  ) => {
    const server = createServer(answer).listen(address);
    servers.push(server);
    await once(server, "listening");
    return server;
  };
  await serve({ path: engine }, (_request, response) => response.end("OK"));
  const server = await serve({ port: 0, host: "127.0.0.1" }, (request, response) => {
    if (market.date !== undefined) response.setHeader("date", market.date.toUTCString());
    const path = request.url ?? "";
    if (path === "/v1/network") response.end(JSON.stringify({ chainId: 1, ...market.network }));
    else if (path === "/install_mcNode.sh") sendFile(response, join(rootDir, "scripts", path));
    else if (path.startsWith("/client/")) sendFile(response, join(folder, path));
    else response.writeHead(404).end();
  });
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const market: FakeMarket = {
    api,
    releases,
    engine,
    date: undefined,
    network: { rpcUrls: [api], matchUrls: [api.replace("http", "ws")], gatewayUrls: [api] },
    release: (next) => writeFakeRelease(folder, releases, { ...next, keystore }),
    stop: () => {
      for (const one of servers) one.close().closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  market.release(client);
  return market;
}

function sendFile(response: Parameters<RequestListener>[1], path: string): void {
  try {
    response.end(readFileSync(path));
  } catch {
    // There is no such file.
    response.writeHead(404).end();
  }
}

/** A release whose Node is this very process's, so that it is small. */
function writeFakeRelease(
  folder: string,
  releases: string,
  client: { version: string; bundle: string; keystore: string },
): void {
  const content = join(folder, "ngpu-client");
  rmSync(content, { recursive: true, force: true });
  mkdirSync(join(content, "bin"), { recursive: true });
  mkdirSync(join(releases, client.version), { recursive: true });
  writeFileSync(join(content, "bin/node"), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  writeFileSync(join(content, "client.mjs"), client.bundle);
  writeFileSync(join(content, "keystore.mjs"), client.keystore);
  copyFileSync(join(rootDir, "node-client/launcher.sh"), join(content, "launcher.sh"));
  copyFileSync(join(rootDir, "scripts/install_mcNode.sh"), join(content, "install.sh"));
  writeFileSync(join(content, "service.unit"), readFileSync(join(rootDir, "node-client/service.unit")));
  const file = `${client.version}/client.tar.gz`;
  execFileSync("tar", ["-czf", join(releases, file), "-C", folder, "ngpu-client"]);
  const archive = readFileSync(join(releases, file));
  const sha256 = createHash("sha256").update(archive).digest("hex");
  const platforms = { [ownPlatform() ?? "linux-x64"]: { file, sha256, bytes: archive.length } };
  writeFileSync(
    join(releases, "manifest.json"),
    `${JSON.stringify({ version: client.version, platforms }, null, 2)}\n`,
  );
}
