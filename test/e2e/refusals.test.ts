import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { generatePrivateKey } from "viem/accounts";
import { openState } from "../../scripts/embedded/leftovers.ts";
import { testCluster } from "../support/postgres.ts";
import { endStarted, lastLine, npmStart, processesOf, removeDir, stateDir } from "./market.ts";
import { failureSchema } from "./result.ts";

const key = generatePrivateKey();
const nowhere = "127.0.0.1:1";

describe("npm start with bad input", function () {
  this.timeout(60_000);
  const dir = stateDir();
  const servers: { close: () => void }[] = [];

  /** Starts, waits for the failure and returns it. No process may be left. */
  const refusal = async (args: string[], env: Record<string, string> = {}) => {
    const start = npmStart(["--once", "--json", "--state-dir", dir, ...args], env);
    const { code } = await start.ended;
    expect(code, start.stderr()).to.equal(1);
    const failure = failureSchema.parse(lastLine(start.stdout()));
    expect(start.stderr()).to.include(`${failure.failedStep}: ${failure.error}`);
    expect(failure.error).not.to.match(/\n\s+at /);
    expect(processesOf(dir)).to.deep.equal([]);
    return failure;
  };
  const serve = async (answer: RequestListener) => {
    const server = createServer(answer).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const chainThatSays = (body: string) =>
    serve((_request, response) => {
      response.end(body);
    });
  after(async () => {
    await endStarted();
    for (const server of servers) server.close();
    removeDir(dir);
  });

  describe("options", () => {
    it("rejects an option that does not exist", async () => {
      const { failedStep, error } = await refusal(["--onec"]);
      expect(failedStep).to.equal("options");
      expect(error).to.include("--onec").and.to.include("npm start -- --help");
    });

    for (const value of ["0", "65536", "80a", "", "8080.5"]) {
      it(`rejects ${JSON.stringify(value)} as a port`, async () => {
        const { failedStep, error } = await refusal([`--api-port=${value}`]);
        expect(failedStep).to.equal("options");
        expect(error)
          .to.include("--api-port")
          .and.to.include("A port must be a whole number from 1 to 65535");
      });
    }

    it("rejects one port for two servers", async () => {
      const { error } = await refusal(["--match-port", "23456", "--gateway-port", "23456"]);
      expect(error).to.include("--match-port and --gateway-port are both 23456");
    });

    it("rejects a period of zero", async () => {
      const { error } = await refusal(["--epoch-seconds", "0"]);
      expect(error).to.include("--epoch-seconds").and.to.include("at least 2");
    });

    for (const [option, step] of [
      ["--api-port", "ports"],
      ["--match-port", "ports"],
      ["--registry-port", "ports"],
      ["--chain-port", "chain"],
      ["--postgres-port", "postgres"],
      ["--redis-port", "redis"],
    ] as const) {
      it(`reports that the port of ${option} is in use`, async () => {
        const port = (await serve(() => undefined)).split(":")[1] ?? "";
        const { failedStep, error } = await refusal([option, port]);
        expect(failedStep).to.equal(step);
        expect(error).to.include(`Port ${port} is in use.\nChoose another with ${option}`);
      });
    }

    it("rejects an address of another machine", async () => {
      const { failedStep, error } = await refusal(["--host", "192.0.2.1"]);
      expect(failedStep).to.equal("ports");
      expect(error).to.include("192.0.2.1").and.to.include("--host");
    });
  });

  describe("environment", () => {
    it("lists every invalid variable", async () => {
      const { failedStep, error } = await refusal([], {
        CHAIN_RPC_URLS: "not a url",
        DEPLOYER_KEY: "0x12",
        DATABASE_ADMIN_URL: "mysql://root@localhost/x",
        REDIS_URL: "localhost:6379",
        LOG_LEVEL: "loud",
      });
      expect(failedStep).to.equal("environment");
      const names = ["CHAIN_RPC_URLS", "DEPLOYER_KEY", "DATABASE_ADMIN_URL", "REDIS_URL", "LOG_LEVEL"];
      for (const name of names) expect(error).to.match(new RegExp(`^  ${name} `, "m"));
    });

    it("requires the deployer's key if a chain is configured", async () => {
      const { failedStep, error } = await refusal([], { CHAIN_RPC_URLS: `http://${nowhere}` });
      expect(failedStep).to.equal("environment");
      expect(error).to.include("DEPLOYER_KEY is not").and.to.include("Set DEPLOYER_KEY");
    });

    const withChain = (address: string) => ({ CHAIN_RPC_URLS: `http://${address}`, DEPLOYER_KEY: key });

    it("reports that the chain does not answer", async () => {
      const { failedStep, error } = await refusal([], withChain(nowhere));
      expect(failedStep).to.equal("chain");
      expect(error).to.include(`${nowhere} does not answer`).and.to.include("Check CHAIN_RPC_URLS");
    });

    for (const [what, body] of [
      ["invalid JSON", "<html>hello</html>"],
      ["JSON that is not JSON-RPC", '{"hello":1}'],
      ["an error", '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}'],
    ] as const) {
      it(`reports that the endpoint responds with ${what}`, async () => {
        const address = await chainThatSays(body);
        const { failedStep, error } = await refusal([], withChain(address));
        expect(failedStep).to.equal("chain");
        expect(error).to.include(`${address} does not answer as a JSON-RPC endpoint`);
      });
    }

    it("rejects endpoints of different chains", async () => {
      const [one, other] = await Promise.all([
        chainThatSays('{"jsonrpc":"2.0","id":1,"result":"0xa"}'),
        chainThatSays('{"jsonrpc":"2.0","id":1,"result":"0x2105"}'),
      ]);
      const { error } = await refusal([], withChain(`${one},http://${other}`));
      expect(error).to.include(`${one} serves 10, ${other} serves 8453`);
    });

    it("reports that Postgres does not answer", async () => {
      const { failedStep, error } = await refusal([], {
        DATABASE_ADMIN_URL: `postgres://admin:secret@${nowhere}/ngpu`,
      });
      expect(failedStep).to.equal("postgres");
      expect(error).to.include(`Postgres at ${nowhere} does not answer`);
      expect(error).to.include("Check DATABASE_ADMIN_URL").and.not.to.include("secret");
    });

    it("reports that Postgres refuses the password", async () => {
      const url = new URL(await testCluster());
      url.password = "wrong";
      const { failedStep, error } = await refusal([], { DATABASE_ADMIN_URL: url.href });
      expect(failedStep).to.equal("postgres");
      expect(error).to.include("password authentication failed").and.to.include("DATABASE_ADMIN_URL");
    });

    it("reports that Redis does not answer", async () => {
      const { failedStep, error } = await refusal([], { REDIS_URL: `redis://${nowhere}` });
      expect(failedStep).to.equal("redis");
      expect(error).to.include(`Redis at ${nowhere} does not answer`).and.to.include("Check REDIS_URL");
    });
  });

  describe("Docker engine", () => {
    it("reports that no engine listens at DOCKER_HOST", async () => {
      const { failedStep, error } = await refusal([], { DOCKER_HOST: `unix://${dir}/none.sock` });
      expect(failedStep).to.equal("docker");
      expect(error).to.include("where DOCKER_HOST points").and.to.include("unset DOCKER_HOST");
    });

    it("reports that it accepts connections and does not respond", async () => {
      const path = join(dir, "silent.sock");
      const server = createSocketServer().listen(path);
      servers.push(server);
      const { failedStep, error } = await refusal([], { DOCKER_HOST: `unix://${path}` });
      expect(failedStep).to.equal("docker");
      expect(error).to.include(`${path} does not answer: no answer within 10 s`);
    });

    it("rejects one on another machine", async () => {
      const { failedStep, error } = await refusal([], { DOCKER_HOST: "tcp://192.0.2.1:2375" });
      expect(failedStep).to.equal("docker");
      expect(error).to.include("Unset DOCKER_HOST");
    });
  });

  describe("state directory", () => {
    it("reports the process that uses it", async () => {
      const { release } = await openState(dir);
      const start = npmStart(["--once", "--json", "--state-dir", dir]);
      expect((await start.ended).code).to.equal(1);
      release();
      const { failedStep, error } = failureSchema.parse(lastLine(start.stdout()));
      expect(failedStep).to.equal("state");
      expect(error).to.include(`kill -INT ${process.pid}`);
    });

    it("reports that it is not writable", async () => {
      const { failedStep, error } = await refusal(["--state-dir", "/dev/null/state"]);
      expect(failedStep).to.equal("state");
      expect(error).to.include("/dev/null/state cannot be written to");
    });

    it("reports that its keys are invalid, and does not replace them", async () => {
      const invalid = stateDir();
      writeFileSync(join(invalid, "keys.json"), '{"deployer":');
      const { failedStep, error } = await refusal(["--state-dir", invalid]);
      removeDir(invalid);
      expect(failedStep).to.equal("keys");
      expect(error).to.include("keys.json is not a valid key file");
    });
  });

  it("stops immediately on Ctrl-C during a step, and names that step", async () => {
    const start = npmStart(["--json", "--state-dir", dir]);
    // Then only the services are started.
    for (const ready of ["Contracts deployed", "Workspace images built", "Database schema and roles"]) {
      await start.saw(`✓ ${ready}`);
    }
    const began = performance.now();
    start.interrupt();
    expect((await start.ended).code).to.equal(1);
    expect(performance.now() - began).to.be.lessThan(10_000);
    const { failedStep, error } = failureSchema.parse(lastLine(start.stdout()));
    expect(failedStep).to.equal("services");
    expect(error).to.equal("Interrupted.\nStart again to continue.");
    expect(processesOf(dir)).to.deep.equal([]);
  });
});
