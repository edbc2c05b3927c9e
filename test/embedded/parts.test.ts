import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { Redis } from "ioredis";
import { startChain } from "../../scripts/embedded/chain.ts";
import { findProgram } from "../../scripts/embedded/install.ts";
import { choosePort } from "../../scripts/embedded/ports.ts";
import { startRedis } from "../../scripts/embedded/redis.ts";
import { rootDir } from "../support/parts.ts";
import { gone, temporaryDir } from "./setup.ts";

async function rpc(url: string, method: string, params: unknown[] = []): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return ((await response.json()) as { result: unknown }).result;
}

describe("embedded chain", () => {
  it("is an OP-stack chain with a block every second, and leaves nothing running", async () => {
    using dir = temporaryDir();
    const chain = await startChain({ rootDir, stateDir: dir.path });
    const id = await rpc(chain.url, "eth_chainId");
    // The predeploy of OP-stack chains for L1 fees.
    const code = await rpc(chain.url, "eth_getCode", [
      "0x420000000000000000000000000000000000000F",
      "latest",
    ]);
    const first = Number(await rpc(chain.url, "eth_blockNumber"));
    const deadline = Date.now() + 20_000;
    while (Number(await rpc(chain.url, "eth_blockNumber")) < first + 5 && Date.now() < deadline)
      await delay(50);
    const blocks = [first + 1, first + 5].map((n) =>
      rpc(chain.url, "eth_getBlockByNumber", [`0x${n.toString(16)}`, false]),
    );
    const [start, end] = (await Promise.all(blocks)) as { timestamp: string }[];
    await chain.stop();
    expect(id).to.equal("0x7a69");
    expect(code).to.match(/^0x[0-9a-f]{10,}/);
    expect(Number(end?.timestamp) - Number(start?.timestamp)).to.be.within(3, 5);
    expect(await gone(chain.process.pid)).to.equal(true);
  });
});

/** The response of Redis to a client without a password. */
async function ping(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write("PING\r\n");
  const [answer] = await once(socket, "data");
  socket.destroy();
  return String(answer);
}

describe("embedded Redis", () => {
  it("requires the password, evicts no job, stores nothing on disk, and leaves nothing running", async () => {
    using dir = temporaryDir();
    const {
      url,
      port,
      process: server,
      stop,
    } = await startRedis({ stateDir: dir.path, print: () => undefined });
    const redis = new Redis(url);
    const policy = await redis.config("GET", "maxmemory-policy");
    const disk = [await redis.config("GET", "save"), await redis.config("GET", "appendonly")];
    redis.disconnect();
    const refusal = await ping(port);
    await stop();
    expect(policy).to.deep.equal(["maxmemory-policy", "noeviction"]);
    expect(disk).to.deep.equal([
      ["save", ""],
      ["appendonly", "no"],
    ]);
    expect(refusal).to.match(/^-NOAUTH/);
    expect(await gone(server.pid)).to.equal(true);
  });
});

describe("ports", () => {
  it("chooses a free one by default", async () => {
    expect(await choosePort({ option: "--api-port" })).to.be.within(1024, 65535);
  });

  it("returns the requested one repeatedly while it is free", async () => {
    const port = await choosePort({ option: "--api-port" });
    expect(await choosePort({ option: "--api-port", port })).to.equal(port);
    expect(await choosePort({ option: "--api-port", port })).to.equal(port);
  });

  it("names the option when the port is in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const error = await choosePort({ option: "--api-port", port }).catch((thrown: unknown) => thrown);
    await new Promise((resolve) => server.close(resolve));
    expect(error).to.be.instanceOf(FatalError).with.property("message", `Port ${port} is in use.`);
    expect(error).to.have.property("hint").that.includes("--api-port");
  });

  it("rejects an invalid port", async () => {
    const error = await choosePort({ option: "--api-port", port: 70_000 }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FatalError).with.property("code", "port_forbidden");
  });
});

describe("programs", () => {
  it("are found in the system's directories, whatever the PATH", () => {
    const before = process.env.PATH;
    process.env.PATH = join(rootDir, "nowhere");
    try {
      expect(findProgram("sh")).to.match(/\/sh$/);
      expect(findProgram("no-such-program")).to.equal(undefined);
    } finally {
      process.env.PATH = before;
    }
  });
});
