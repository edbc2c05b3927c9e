import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createLogger } from "@ngpu/runtime/logger";
import express from "express";
import { pushRouter } from "../../services/registry/push/router.ts";
import { openChainTables } from "../services/support/chainTables.ts";

const account = `0x${"a1".repeat(20)}`;

/** A registry that takes pushes of one account, and as much of the API as `ngpu push` asks. */
export async function startPushMarket(storeDir: string) {
  const tables = await openChainTables("ngpu_registry");
  const [id, secret] = [randomBytes(8).toString("hex"), randomBytes(32).toString("hex")];
  await tables.chain.query("insert into app.account (wallet) values ($1)", [account]);
  await tables.chain.query(
    "insert into app.api_key (id, wallet, name, secret_hash) values ($1, $2, 'push', $3)",
    [id, account, createHash("sha256").update(secret, "hex").digest()],
  );
  await mkdir(storeDir, { recursive: true });
  const app = express();
  app.get("/v1/account", (_request, response) => void response.json({ wallet: account }));
  app.get(
    "/v1/network",
    (_request, response) => void response.json({ probeImage: `${host}/ngpu/probe@sha256:0` }),
  );
  const limits = { publicUrl: undefined, quotaBytes: 2 ** 30, reserveBytes: 0 };
  app.use(pushRouter({ db: tables.db, storeDir, logger: createLogger("registry", "silent"), ...limits }));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    account,
    host,
    env: { NGPU_API: `http://${host}`, NGPU_API_KEY: `ngpu_${id}_${secret}` },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await tables.close();
    },
  };
}
