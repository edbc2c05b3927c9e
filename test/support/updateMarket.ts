import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Rollout } from "@ngpu/protocol/updates";
import { createKeyFile, readKeyFile } from "@ngpu/update-repository/keys";
import { addRelease, createRepository, type OfflineKeys } from "@ngpu/update-repository/offline";
import { type OnlineRepository, openOnlineRepository } from "@ngpu/update-repository/online";
import express from "express";

const ownPlatform = `${process.platform}-${process.arch}`;

/** A market that serves signed releases of small programs in place of the client. */
export type UpdateMarket = {
  /** Directory of the releases. */
  dir: string;
  keysDir: string;
  keys: OfflineKeys;
  online: OnlineRepository;
  /** URL of the releases, with a slash at its end. */
  url: string;
  /** Paths that were requested. */
  requests: string[];
  /** Packs and signs a release whose client is this script. */
  release(version: string, script: string, platform?: string): void;
  rollOut(change: Partial<Rollout> & { release: string }): void;
  stop(): Promise<void>;
};

/** Starts a market. @param now When its first signatures are made. */
export async function startUpdateMarket(home: string, now = Date.now()): Promise<UpdateMarket> {
  const dir = join(home, "client");
  const keysDir = join(home, "keys");
  mkdirSync(keysDir);
  const keys = {
    root: createKeyFile(join(keysDir, "root.pem"), undefined),
    releases: createKeyFile(join(keysDir, "releases.pem"), undefined),
  };
  const { key } = createKeyFile(join(keysDir, "online.pem"), undefined);
  createRepository(dir, keys, key, now);
  const online = openOnlineRepository(dir, readKeyFile(join(keysDir, "online.pem")));
  online.refresh(now);
  const requests: string[] = [];
  const app = express();
  app.use((request, _response, next) => {
    requests.push(request.path);
    next();
  });
  app.use(express.static(dir));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    dir,
    keysDir,
    keys,
    online,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    release: (version, script, platform = ownPlatform) => {
      const archives = [packScript(join(home, "packed"), dir, { version, script, platform })];
      addRelease(dir, keys.releases, { version, archives }, now);
      online.refresh(now);
    },
    rollOut: (change) => online.setRollout({ percent: 100, regions: null, paused: null, ...change }, now),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The layout of a release, with this process's Node. */
export function writeRelease(folder: string, script: string): void {
  mkdirSync(join(folder, "bin"), { recursive: true });
  symlinkSync(process.execPath, join(folder, "bin/node"));
  writeFileSync(join(folder, "client.mjs"), script);
}

function packScript(
  work: string,
  dir: string,
  { version, script, platform }: { version: string; script: string; platform: string },
) {
  const folder = join(work, `${version}-${platform}`, "ngpu-client");
  writeRelease(folder, script);
  mkdirSync(join(dir, version), { recursive: true });
  const path = join(dir, version, `ngpu-client-${platform}.tar.gz`);
  execFileSync("tar", ["-czf", path, "-C", join(folder, ".."), "ngpu-client"]);
  const bytes = readFileSync(path);
  return { platform, sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}
