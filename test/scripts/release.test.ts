import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "@ngpu/runtime/version";
import { expect } from "chai";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

describe("the release", function () {
  this.timeout(240_000);
  const packed = temporaryDir();
  const home = temporaryDir();

  before(() => {
    execFileSync(process.execPath, [join(rootDir, "scripts/release/index.ts"), "--out", packed.path], {
      cwd: rootDir,
    });
    writeFileSync(join(home.path, "package.json"), '{ "private": true, "type": "module" }\n');
    const archives = readdirSync(packed.path).map((name) => join(packed.path, name));
    // They depend on nothing, so that no registry is asked.
    execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", ...archives], {
      cwd: home.path,
      stdio: "pipe",
    });
  });
  after(() => {
    packed[Symbol.dispose]();
    home[Symbol.dispose]();
  });

  const run = (command: string, args: readonly string[]) =>
    spawnSync(command, args, { cwd: home.path, encoding: "utf8" });
  const program = (name: string, ...args: string[]) =>
    run(process.execPath, [join(home.path, "node_modules/.bin", name), ...args]);

  it("packs the client, the command line and the API client", () => {
    expect(readdirSync(packed.path).sort()).to.deep.equal([
      `ngpu-api-client-${version}.tgz`,
      `ngpu-cli-${version}.tgz`,
      `ngpu-node-client-${version}.tgz`,
    ]);
  });

  it("gives programs that run in an empty folder", () => {
    for (const name of ["ngpu", "ngpu-node"]) {
      const { status, stdout, stderr } = program(name, "--version");
      expect(`${status} ${stdout.trim()} ${stderr}`).to.equal(`0 ${version} `);
      expect(program(name, "--help").stdout).to.include("Usage:");
    }
    const refused = program("ngpu", "verify", "placement", "none");
    expect(refused.status).to.equal(1);
    expect(refused.stderr).to.match(/none is neither a lease nor the id of a placement/);
  });

  it("gives a command line whose commands load what they need", () => {
    const { status, stdout } = program("ngpu", "doctor", "--api", "http://127.0.0.1:1", "--json");
    const { checks } = JSON.parse(stdout) as { checks: { name: string; ok: boolean }[] };
    expect(status).to.equal(2);
    expect(checks.map(({ name, ok }) => [name, ok])).to.deep.include.members([
      ["Node", true],
      ["API", false],
    ]);
  });

  it("gives a command line that completes words in bash", () => {
    const script = `source <(ngpu completion bash)
for words in "ngpu de" "ngpu market g" "ngpu deploy --max"; do
  COMP_WORDS=($words); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _ngpu; echo "\${COMPREPLY[@]}"
done`;
    const path = `${join(home.path, "node_modules/.bin")}:${join(rootDir, "node_modules/.bin")}:${process.env.PATH}`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script], {
      cwd: home.path,
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    });
    expect(`${stdout}${stderr}`).to.equal("deploy describe deposit\ngpus\n--max-price\n");
  });

  it("gives an API client that JavaScript and TypeScript import", () => {
    const use = `import { createApiClient } from "@ngpu/api-client/client";
import { ApiUnreachableError } from "@ngpu/api-client/errors";
const failed = await createApiClient({ url: "http://127.0.0.1:9" }).get("/v1/network").catch((error) => error);
console.log(failed instanceof ApiUnreachableError);
`;
    writeFileSync(join(home.path, "use.mjs"), use);
    expect(run(process.execPath, ["use.mjs"]).stdout).to.equal("true\n");
    const typed = `import { type ApiClient, createApiClient } from "@ngpu/api-client/client";
const api: ApiClient = createApiClient({ url: "http://127.0.0.1" });
export const id: Promise<string> = api.get<string>("/v1");
// @ts-expect-error A client needs an address.
createApiClient({});
`;
    writeFileSync(join(home.path, "use.ts"), typed);
    const tsc = join(rootDir, "node_modules/.bin/tsc");
    const settings = ["--noEmit", "--strict", "--module", "nodenext", "--types", ""];
    const { status, stdout } = run(tsc, ["--ignoreConfig", ...settings, "use.ts"]);
    expect(stdout).to.equal("");
    expect(status).to.equal(0);
  });
});
