import { Redis } from "ioredis";
import { startRedis } from "../../scripts/embedded/redis.ts";
import { stopAtEnd, testStateDir } from "./parts.ts";

const DATABASES = 16;

let server: Promise<string> | undefined;
let given = 0;

/**
 * The URL of an empty database of a real Redis for one suite: of TEST_REDIS_URL, or of a server that is started for
 * this mocha run alone. There are 16; suites run one after the other, so that a suite gets one that nobody uses.
 */
export async function createTestRedis(): Promise<string> {
  server ??= openServer();
  const url = new URL(await server);
  url.pathname = `/${given++ % DATABASES}`;
  const redis = new Redis(url.href, { maxRetriesPerRequest: 1 });
  try {
    await redis.flushdb();
  } finally {
    redis.disconnect();
  }
  return url.href;
}

async function openServer(): Promise<string> {
  const url = process.env.TEST_REDIS_URL;
  if (url !== undefined && url !== "") return url;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const redis = await startRedis({ stateDir: await testStateDir(), say });
  stopAtEnd(redis.stop);
  return redis.url;
}
