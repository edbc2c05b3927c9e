import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { readMigrations } from "@ngpu/db/migrate";
import { expect } from "chai";
import pg from "pg";
import { generatePrivateKey } from "viem/accounts";
import { runToEnd } from "../../scripts/embedded/command.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { rootDir } from "../support/parts.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { programEnv } from "../support/programEnv.ts";
import { createTestRedis } from "../support/redis.ts";
import { processesOf, removeDir, stateDir } from "./market.ts";

const services = [
  "autoExport",
  "match",
  "workspace",
  "dispense",
  "registry",
  "pomc",
  "gateway",
  "apiServer",
  "webhooks",
] as const;
type Service = (typeof services)[number];

const nowhere = "127.0.0.1:1";
const image = `127.0.0.1:5000/ngpu/probe@sha256:${"0".repeat(64)}`;
const token = "t".repeat(64);

/** Services that require it: all but the gateway. */
const followers = ["autoExport", "match", "workspace", "dispense", "pomc", "apiServer"] as const;
/** Services that require it: all but the registry. */
const databaseServices = services.filter((service) => service !== "registry");
/** Services that know the contracts: all but these two. */
const marketServices = databaseServices.filter((service) => service !== "webhooks");
const queued = ["match", "workspace", "dispense", "apiServer", "webhooks"] as const;

/** An endpoint that responds to the requests of a start like the deployment's chain. */
const endpoint = createHttpServer(async (request, response) => {
  const { id, method } = (await json(request)) as { id: number; method: string };
  const answers: Record<string, string> = { eth_chainId: "0x7a69", eth_getCode: "0x01" };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ jsonrpc: "2.0", id, result: answers[method] ?? null }));
});

describe("a service started alone", function () {
  this.timeout(60_000);
  const dir = stateDir();
  const deploymentFile = join(dir, "deployment.json");
  let database: TestDatabase;
  let redisUrl: string;
  let chainUrl: string;

  before(async () => {
    await once(endpoint.listen(0, "127.0.0.1"), "listening");
    chainUrl = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
    database = await createTestDatabase();
    redisUrl = await createTestRedis();
    mkdirSync(join(dir, "images"));
    writeFileSync(deploymentFile, JSON.stringify(deploymentDocument));
  });
  after(async () => {
    endpoint.close();
    await database.drop();
    removeDir(dir);
  });

  /** A complete environment for any of the services. */
  const complete = (over: Record<string, string> = {}): Record<string, string> => ({
    CHAIN_RPC_URLS: chainUrl,
    DEPLOYMENT_FILE: deploymentFile,
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    SIGNER_KEY: generatePrivateKey(),
    RELAYER_KEY: generatePrivateKey(),
    ACKNOWLEDGER_KEY: generatePrivateKey(),
    POSTER_KEY: generatePrivateKey(),
    PUBLIC_URL: "http://127.0.0.1:8080",
    GATEWAY_URL: "http://127.0.0.1:8081",
    GATEWAY_URLS: "http://127.0.0.1:8081",
    GATEWAY_TOKEN: token,
    WEBHOOK_KEYS: token,
    SECRET_KEYS: token,
    MATCH_URLS: "ws://127.0.0.1:8082",
    PUBLIC_RPC_URLS: "http://127.0.0.1:8545",
    PROBE_IMAGE: image,
    IMAGE_STORE: join(dir, "images"),
    LOG_LEVEL: "silent",
    ...over,
  });

  /** The one message of a failed start, which must end by itself. */
  const refusal = async (service: Service, env: Record<string, string>): Promise<string> => {
    const entry = join(rootDir, "services", service, "index.ts");
    // These two have keys of other names, and reject this one.
    const { SIGNER_KEY: _renamed, ...named } = env;
    const own = service === "match" || service === "pomc" ? named : env;
    const { code, output } = await runToEnd(process.execPath, [entry], {
      cwd: rootDir,
      env: { ...programEnv(), ...own },
      signal: AbortSignal.timeout(120_000),
    });
    expect(code, output).to.equal(1);
    expect(output).not.to.match(/\n\s+at /);
    expect(processesOf(dir)).to.deep.equal([]);
    return output;
  };
  const each = async (
    names: readonly Service[],
    env: Record<string, string>,
    check: (said: string, service: Service) => void,
  ) => {
    for (const service of names) check(await refusal(service, env), service);
  };

  it("lists every missing variable", () =>
    each(services, { LOG_LEVEL: "loud" }, (said, service) => {
      expect(said, service).to.match(/^The environment is not valid:\n/);
      const required = service === "registry" ? "IMAGE_STORE" : "DATABASE_URL";
      expect(said).to.match(new RegExp(`^ {2}${required} is not set \\(.+\\)$`, "m"));
      expect(said).to.match(/^ {2}LOG_LEVEL /m);
      if (followers.some((follower) => follower === service))
        expect(said).to.match(/^ {2}CHAIN_RPC_URLS is not set/m);
      expect(said).to.include(".env.example");
    }));

  it("reports that there is no deployment", () =>
    each(marketServices, complete({ DEPLOYMENT_FILE: join(dir, "none.json") }), (said) => {
      expect(said).to.include("none.json cannot be read").and.to.include("Set DEPLOYMENT_FILE");
    }));

  it("reports that the chain does not answer", () =>
    each(followers, complete({ CHAIN_RPC_URLS: `http://${nowhere}` }), (said, service) => {
      expect(said, service).to.include("The chain does not answer").and.to.include("Check CHAIN_RPC_URLS");
    }));

  it("does not wait long for a chain that accepts connections and does not respond", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const said = await refusal("pomc", complete({ CHAIN_RPC_URLS: `http://127.0.0.1:${port}` }));
    silent.close();
    expect(said).to.include("The chain does not answer: no answer within 15 s");
  });

  it("reports that Postgres does not answer", () =>
    each(
      databaseServices,
      complete({ DATABASE_URL: `postgres://ngpu:secret@${nowhere}/ngpu` }),
      (said, service) => {
        expect(said, service).to.include("Postgres does not answer").and.to.include("Check DATABASE_URL");
        expect(said).not.to.include("secret");
      },
    ));

  it("reports that Redis does not answer", () =>
    each(queued, complete({ REDIS_URL: `redis://${nowhere}` }), (said, service) => {
      expect(said, service).to.include("Redis does not answer").and.to.include("Check REDIS_URL");
    }));

  it("reports that Postgres rejects its login", async () => {
    const url = new URL(database.url);
    url.password = "wrong";
    const said = await refusal("gateway", complete({ DATABASE_URL: url.href }));
    expect(said).to.include("password authentication failed").and.to.include("in DATABASE_URL");
  });

  it("names the command that migrates an older database, and that command does", async () => {
    const older = await createTestDatabase();
    const client = new pg.Client({ connectionString: older.url });
    await client.connect();
    // The table's schema stays unchanged, so that the last migration can run again.
    const { rows } = await client.query<{ name: string }>(
      "delete from app.migration where id = (select max(id) from app.migration) returning name",
    );
    await client.end();
    expect(rows[0]?.name).to.equal(readMigrations().at(-1)?.name);
    const said = await refusal("gateway", complete({ DATABASE_URL: older.url }));
    await older.drop();
    expect(said).to.match(/The database schema is \S+; this version needs /);
    expect(said).to.include(readMigrations().at(-1)?.name);
    const command = /Run `(.+)` with DATABASE_ADMIN_URL/.exec(said)?.[1] ?? "";
    const empty = await createTestDatabase();
    const env = { ...process.env, DATABASE_ADMIN_URL: empty.url, npm_config_loglevel: "silent" };
    const migrated = await runToEnd("bash", ["-c", command], { cwd: rootDir, env });
    await empty.drop();
    expect(migrated).to.deep.equal({ code: 0, output: "The database is up to date.\n" });
  });

  it("reports that the database is newer than the service", async () => {
    const newer = await createTestDatabase();
    const client = new pg.Client({ connectionString: newer.url });
    await client.connect();
    await client.query("insert into app.migration (name, run_on) values ('9999_later', now())");
    await client.end();
    const said = await refusal("gateway", complete({ DATABASE_URL: newer.url }));
    await newer.drop();
    expect(said)
      .to.include("The database schema is 9999_later")
      .and.to.include("Update this service to the version that");
  });
});
