import { join } from "node:path";
import getPort from "get-port";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { fund } from "../../support/chain.ts";
import { rootDir, testStateDir } from "../../support/parts.ts";
import { createClient, signIn } from "../apiServer/client.ts";
import type { TestMatch } from "../match/setup.ts";
import { asRole, eventually } from "../support/context.ts";

export type Programs = Awaited<ReturnType<typeof startPrograms>>;

/** apiServer, and the node client as operators run it, with the engine and the tools of `dir`. */
export async function startPrograms(test: TestMatch, { dir, matchUrl }: { dir: string; matchUrl: string }) {
  const running: RunningProcess[] = [];
  const launch = async (name: string, program: string[], env: Record<string, string>, healthUrl: string) => {
    const started = await startProcess({
      name,
      command: process.execPath,
      args: [join(rootDir, program[0] ?? ""), ...program.slice(1)],
      stateDir: await testStateDir(),
      cwd: rootDir,
      env: { PATH: `${dir}:${process.env.PATH}`, LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "info", ...env },
      ready: async (signal) => (await fetch(healthUrl, { signal })).ok,
      readyDeadlineMs: 60_000,
    });
    running.push(started);
    return started;
  };
  const api = await apiEnv(test, matchUrl);
  await launch("apiServer", ["services/apiServer/index.ts"], api, `${api.PUBLIC_URL}/v1/network`);
  const port = await getPort();
  const nodeUrl = `http://127.0.0.1:${port}/healthz`;
  const node = await launch(
    "node",
    ["node-client/main.ts", "run"],
    nodeEnv(dir, api.PUBLIC_URL, port),
    nodeUrl,
  );
  await eventually("the node's registration", async () => {
    const { rowCount } = await test.db.query("select from chain.node where status = 'online'");
    return rowCount === 1;
  });
  return {
    node,
    nodeUrl,
    signIn: (account: PrivateKeyAccount) => signIn(createClient(api.PUBLIC_URL), account),
    stop: async () => {
      for (const one of running.reverse()) await one.stop();
    },
  };
}

async function apiEnv(test: TestMatch, matchUrl: string) {
  const port = await getPort();
  const key = generatePrivateKey();
  await fund(test.market.rpcUrl, [privateKeyToAccount(key).address]);
  return {
    CHAIN_RPC_URLS: test.market.rpcUrl,
    DEPLOYMENT_FILE: test.market.deploymentFile,
    DATABASE_URL: asRole(test.database.url, "ngpu_api"),
    REDIS_URL: test.redisUrl,
    SIGNER_KEY: key,
    HOST: "127.0.0.1",
    PORT: String(port),
    INTERNAL_PORT: String(await getPort()),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    GATEWAY_URL: "http://127.0.0.1:9",
    GATEWAY_URLS: "http://127.0.0.1:9",
    GATEWAY_TOKEN: "a-token-of-more-than-thirty-two-characters",
    MATCH_URLS: matchUrl,
    PUBLIC_RPC_URLS: test.market.rpcUrl,
    PROBE_IMAGE: `127.0.0.1:9/probe@sha256:${"0".repeat(64)}`,
    WEBHOOK_KEYS: "a-token-of-more-than-thirty-two-characters",
    SECRET_KEYS: "a-token-of-more-than-thirty-two-characters",
    PRIVATE_ADDRESSES: "1",
  };
}

const nodeEnv = (dir: string, apiUrl: string, port: number) => ({
  NGPU_API: apiUrl,
  HOST: "127.0.0.1",
  PORT: String(port),
  NODE_DIR: join(dir, "node"),
  NODE_DOCKER_SOCKET: join(dir, "engine.sock"),
  NODE_PRICE: "1",
  NODE_PREFETCH_GIB: "0",
});
