import { Redis } from "ioredis";
import { startRedis } from "../../scripts/embedded/redis.ts";
import { stopAtEnd, testStateDir } from "./parts.ts";

const COUNTER = "ngpu:test:databases";

let server: Promise<string> | undefined;

/**
 * The URL of an empty database of a real Redis for one suite. The server is TEST_REDIS_URL, or one started for this
 * mocha run. A counter in database 0 assigns different databases to suites in several processes.
 */
export async function createTestRedis(): Promise<string> {
  server ??= openServer();
  const url = new URL(await server);
  const redis = new Redis(url.href, { maxRetriesPerRequest: 1 });
  try {
    const [, databases = "16"] = (await redis.config("GET", "databases")) as string[];
    const number = 1 + ((await redis.incr(COUNTER)) % (Number(databases) - 1));
    await redis.select(number);
    await redis.flushdb();
    url.pathname = `/${number}`;
  } finally {
    redis.disconnect();
  }
  return url.href;
}

async function openServer(): Promise<string> {
  const url = process.env.TEST_REDIS_URL;
  if (url !== undefined && url !== "") return url;
  const print = (line: string) => process.stderr.write(`${line}\n`);
  const redis = await startRedis({ stateDir: await testStateDir(), print });
  stopAtEnd(redis.stop);
  return redis.url;
}
