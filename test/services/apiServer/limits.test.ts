import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { InputError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import express, { type ErrorRequestHandler } from "express";
import { Redis } from "ioredis";
import { createLimits } from "../../../services/apiServer/limits.ts";
import { createTestRedis } from "../../support/redis.ts";

describe("the rate limits", () => {
  let redis: Redis;
  const servers: Server[] = [];
  before(async () => {
    redis = new Redis(await createTestRedis());
  });
  beforeEach(async () => {
    await redis.flushdb();
    await redis.script("FLUSH");
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });
  after(() => redis.disconnect());

  /** Statuses of calls through a limit of 2 a minute, whose first commands to Redis time out. */
  async function statuses(calls: number, timeouts: number): Promise<number[]> {
    let sent = 0;
    let ended = false;
    const call = (async (command: string, ...args: string[]) => {
      sent += 1;
      // Counts that are still in memory must not reach the next instance's.
      if (sent <= timeouts || ended) throw new Error("Command timed out");
      return redis.call(command, ...args);
    }) as Redis["call"];
    const app = express();
    const { general } = createLimits({ call }, { perKey: 2, perAddress: 2, signIn: 2, writes: 2 });
    app.get("/", general, (_request, response) => void response.end());
    const refused: ErrorRequestHandler = (error, _request, response, _next) =>
      void response.status(error instanceof InputError ? error.status : 500).end();
    app.use(refused);
    const server = createServer(app).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const found = [];
    for (let n = 0; n < calls; n += 1) found.push((await fetch(url)).status);
    ended = true;
    return found;
  }

  it("refuse what exceeds them", async () => {
    expect(await statuses(4, 0)).to.deep.equal([200, 200, 429, 429]);
  });

  it("hold after Redis did not answer in time while the service started", async () => {
    // Each of the three limits loads two scripts.
    expect(await statuses(4, 6)).to.deep.equal([200, 200, 429, 429]);
  });

  it("hold again after Redis lost its scripts and counts", async () => {
    expect(await statuses(3, 0)).to.deep.equal([200, 200, 429]);
    await redis.flushdb();
    await redis.script("FLUSH");
    expect(await statuses(3, 0)).to.deep.equal([200, 200, 429]);
  });
});
