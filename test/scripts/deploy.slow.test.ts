import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { managerAbi, pausesAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { encryptKeystoreJson, Wallet } from "ethers";
import { createWalletClient, encodeFunctionData, getAbiItem, type Hex, http, toFunctionSelector } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { startChain } from "../../scripts/embedded/chain.ts";
import { runToEnd } from "../../scripts/embedded/command.ts";
import { fund } from "../support/chain.ts";
import { rootDir, stopAtEnd, testStateDir } from "../support/parts.ts";
import { rpc } from "../support/rpc.ts";

const account = () => privateKeyToAccount(generatePrivateKey()).address;

describe("npm run deploy, on a real node", () => {
  let url: string;
  let folder: string;
  let env: Record<string, string | undefined>;
  const adminKey = generatePrivateKey();
  const guardianKey = generatePrivateKey();
  let out: string;
  let deployer: Hex;
  let target: string[];

  const run = (script: string, args: string[], changes: Record<string, string | undefined> = {}) =>
    runToEnd(process.execPath, [join(rootDir, "scripts", script), "--rpc-url", url, ...args], {
      cwd: rootDir,
      env: { ...process.env, NO_COLOR: "1", ...env, ...changes },
    });

  before(async function () {
    this.timeout(240_000);
    folder = await testStateDir();
    const chain = await startChain({ rootDir, stateDir: folder });
    stopAtEnd(chain.stop);
    url = chain.url;
    await rpc(url, "evm_setAutomine", [true]);
    const { address, privateKey } = Wallet.createRandom();
    deployer = address as Hex;
    const governors = [adminKey, guardianKey].map((key) => privateKeyToAccount(key).address);
    await fund(url, [deployer, ...governors]);
    const keystore = join(folder, "deployer.json");
    const password = join(folder, "deployer-password");
    // As few rounds as the format takes, for the test's sake.
    const options = { scrypt: { N: 1024, r: 8, p: 1 }, progressCallback: () => {} };
    writeFileSync(keystore, await encryptKeystoreJson({ address, privateKey }, "a pass phrase", options));
    writeFileSync(password, "a pass phrase\n", { mode: 0o600 });
    env = {
      DEPLOYER_KEY: undefined,
      DEPLOYER_PASSWORD: undefined,
      DEPLOYER_KEYSTORE: keystore,
      DEPLOYER_PASSWORD_FILE: password,
    };
    const parameters = join(folder, "deploy-parameters.json");
    out = join(folder, "deploy-out.json");
    writeFileSync(
      parameters,
      JSON.stringify({
        admin: privateKeyToAccount(adminKey).address,
        guardian: privateKeyToAccount(guardianKey).address,
        treasury: account(),
        poster: account(),
        committers: [account()],
        acknowledgers: [account()],
        keepers: [account()],
        measureKeepers: [account()],
        delays: { admin: 0, operations: 0, unpauser: 0 },
        slotSeconds: 60,
        epochSeconds: 60,
        activationDelay: 2,
        clockMarginSeconds: 1,
        quorum: 1,
        measureWindowSeconds: 60,
        measureTtlSeconds: 600,
        emissionPerEpoch: "1000",
        cap: "1000000",
        genesisSupply: "1000",
      }),
    );
    target = ["--parameters", parameters, "--out", out, "--journal", join(folder, "deploy-journal")];
  });

  it("deploys with a keystore, refuses a wrong password, and does nothing the second time", async function () {
    this.timeout(240_000);
    const refused = await run("deploy.ts", target, {
      DEPLOYER_PASSWORD_FILE: undefined,
      DEPLOYER_PASSWORD: "another",
    });
    expect(refused.code).to.equal(1);
    expect(refused.output).to.include("cannot be opened");
    const first = await run("deploy.ts", target);
    expect(first.code, first.output).to.equal(0);
    const before = readFileSync(out, "utf8");
    const sent = await rpc(url, "eth_getTransactionCount", [deployer, "latest"]);
    const second = await run("deploy.ts", target, {
      DEPLOYER_PASSWORD_FILE: undefined,
      DEPLOYER_PASSWORD: "a pass phrase",
    });
    expect(second.code, second.output).to.equal(0);
    expect(readFileSync(out, "utf8")).to.equal(before);
    expect(await rpc(url, "eth_getTransactionCount", [deployer, "latest"])).to.equal(sent);
  });

  it("replaces contracts by others beside them once the epochs before have ended, and nothing the second time", async function () {
    this.timeout(240_000);
    const replacing = [...target, "--replace", "market", "--generation", "2"];
    const refused = await run("deploy.ts", replacing);
    expect(refused.code).to.equal(1);
    expect(refused.output).to.include("Pomc.postEpoch is not paused");
    const previous = readDeployment(out).contracts;
    const call = async (key: Hex, to: Hex, data: Hex) => {
      const wallet = createWalletClient({ account: privateKeyToAccount(key), transport: http(url) });
      await wallet.sendTransaction({ chain: null, to, data });
    };
    const postEpoch = toFunctionSelector(getAbiItem({ abi: pomcAbi, name: "postEpoch" }));
    const pause = encodeFunctionData({ abi: pausesAbi, functionName: "pause", args: [[postEpoch]] });
    await call(guardianKey, previous.Pomc, pause);
    const first = await run("deploy.ts", replacing);
    expect(first.code, first.output).to.equal(0);
    const page = (name: string) =>
      JSON.parse(readFileSync(join(folder, "generation-2", name), "utf8")) as { to: Hex; data: Hex }[];
    for (const { to, data } of page("introduction.json")) await call(adminKey, to, data);
    expect(page("retirement.json")).to.have.length(4);
    const before = readFileSync(out, "utf8");
    const sent = await rpc(url, "eth_getTransactionCount", [deployer, "latest"]);
    for (const args of [replacing, target]) {
      const again = await run("deploy.ts", args);
      expect(again.code, again.output).to.equal(0);
    }
    expect(readFileSync(out, "utf8")).to.equal(before);
    expect(await rpc(url, "eth_getTransactionCount", [deployer, "latest"])).to.equal(sent);
    const { contracts, previous: left } = readDeployment(out);
    expect(left.map((entry) => entry.contracts.Escrow)).to.deep.equal([previous.Escrow]);
    expect(contracts.Escrow).to.not.equal(previous.Escrow);
    expect(contracts.ComputeNode).to.equal(previous.ComputeNode);
  });

  it("verifies what stands there, in lines and as JSON, and finds a role that was given", async function () {
    this.timeout(240_000);
    const lines = await run("deployCheck.ts", target);
    expect(lines.code, lines.output).to.equal(0);
    expect(lines.output)
      .to.include("✔ code of Escrow")
      .and.to.include("✔ code of Escrow of generation 1")
      .and.to.include("✔ roles");
    const deployment = readDeployment(out);
    const intruder = account();
    const wallet = createWalletClient({ account: privateKeyToAccount(adminKey), transport: http(url) });
    await wallet.sendTransaction({
      chain: null,
      to: deployment.contracts.AccessManager,
      data: encodeFunctionData({ abi: managerAbi, functionName: "grantRole", args: [2n, intruder, 0] }),
    });
    const json = await run("deployCheck.ts", [...target, "--json"]);
    expect(json.code).to.equal(1);
    const answer = JSON.parse(json.output.slice(json.output.indexOf("{"))) as {
      ok: boolean;
      findings: { check: string; errors: string[] }[];
    };
    expect(answer.ok).to.equal(false);
    expect(answer.findings.find(({ check }) => check === "roles")?.errors).to.deep.equal([
      `role: guardian of ${intruder} after 0 s is unexpected`,
    ]);
  });

  it("refuses a network whose people are not named yet, before it asks who deploys", async () => {
    for (const more of [[], ["--replace", "market", "--generation", "2"]]) {
      const { code, output } = await run("deploy.ts", ["--network", "op-sepolia", ...more]);
      expect(code).to.equal(1);
      expect(output).to.include("sets no address for admin");
    }
    expect(existsSync(join(rootDir, "deployments/op-sepolia"))).to.equal(false);
  });
});
