import { checkDeployment } from "@ngpu/contracts/ignition/check/index";
import type { NgpuParameters } from "@ngpu/contracts/ignition/parameters";
import { replaceNgpu } from "@ngpu/contracts/ignition/replace";
import { type RoleCall, retirement } from "@ngpu/contracts/ignition/succession";
import { windowErrors } from "@ngpu/contracts/ignition/windows";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { artifacts } from "hardhat";
import { type Address, encodeFunctionData, type Hex, parseAbi } from "viem";
import { delays, type Governed, loadGoverned } from "./support/governed.ts";

async function faultsOf(
  market: Governed,
  changes: Partial<NgpuParameters> = {},
  looked = 12,
): Promise<Record<string, string[]>> {
  const { client, deployment } = market;
  const findings = await checkDeployment({
    client,
    contracts: deployment.contracts,
    startBlock: deployment.startBlock,
    parameters: { ...deployment.parameters, ...changes },
    previous: deployment.previous,
    artifact: async (name) => (await artifacts.readArtifact(name)) as never,
  });
  expect(findings).to.have.length(looked);
  return Object.fromEntries(
    findings.filter(({ errors }) => errors.length > 0).map((f) => [f.check, f.errors]),
  );
}

/** Makes a role's call after its delay. */
async function act(market: Governed, caller: Address, to: Address, data: Hex, delay: number): Promise<void> {
  const { connection, deployment } = market;
  const wallet = await connection.viem.getWalletClient(caller);
  const manager = { address: deployment.contracts.AccessManager, abi: managerAbi } as const;
  await wallet.writeContract({ ...manager, functionName: "schedule", args: [to, data, 0] });
  await connection.networkHelpers.time.increase(delay);
  await wallet.writeContract({ ...manager, functionName: "execute", args: [to, data] });
}

async function send(market: Governed, caller: Address, to: Address, data: Hex): Promise<void> {
  const wallet = await market.connection.viem.getWalletClient(caller);
  await wallet.sendTransaction({ to, data });
}

describe("Checking a deployment", () => {
  it("finds no difference in an unchanged deployment", async () => {
    expect(await faultsOf(await loadGoverned())).to.deep.equal({});
  });

  it("finds other code and other immutables", async () => {
    const market = await loadGoverned();
    const { client, connection, deployment } = market;
    const address = deployment.contracts.Escrow;
    const code = (await client.getCode({ address })) ?? "0x";
    const set = (changed: string) =>
      connection.provider.request({ method: "hardhat_setCode", params: [address, changed] });
    // One byte of the dispatch, then the token's address where it is used.
    await set(`${code.slice(0, 80)}${code.slice(80, 82) === "00" ? "01" : "00"}${code.slice(82)}`);
    expect(await faultsOf(market)).to.have.property("code of Escrow");
    const token = deployment.contracts.Token.slice(2).toLowerCase();
    await set(code.replaceAll(token, deployment.contracts.Pomc.slice(2).toLowerCase()));
    expect((await faultsOf(market))["code of Escrow"]?.join()).to.match(/an immutable is 0x.* not 0x/);
    await set(code);
    expect(await faultsOf(market)).to.deep.equal({});
  });

  it("finds parameters that differ from the deployed ones", async () => {
    const market = await loadGoverned();
    const { people } = market;
    expect(await faultsOf(market, { activationDelay: 7_200 })).to.have.property("code of Pomc");
    expect(await faultsOf(market, { poster: people.outsider, keepers: [] })).to.deep.equal({
      wiring: [
        `Pomc: PosterSet is ${people.poster}, not ${people.outsider}`,
        `ComputeNode: UptimePosterSet: ${people.poster} is unexpected`,
        `ComputeNode: UptimePosterSet: ${people.outsider} is missing`,
        `DockerContract: KeeperSet: ${people.keeper} is unexpected`,
      ],
    });
  });

  it("finds granted roles, changed delays and moved functions", async () => {
    const market = await loadGoverned();
    const { people, deployment } = market;
    const manager = deployment.contracts.AccessManager;
    const data = encodeFunctionData({
      abi: managerAbi,
      functionName: "grantRole",
      args: [1n, people.outsider, 0],
    });
    await act(market, people.admin, manager, data, delays.admin);
    expect((await faultsOf(market)).roles).to.deep.equal([
      `role: operations of ${people.outsider} after 0 s is unexpected`,
    ]);
    const node = deployment.contracts.ComputeNode;
    const addDocker = encodeFunctionData({
      abi: parseAbi(["function addDocker(address)"]),
      args: [people.outsider],
    });
    const move = encodeFunctionData({
      abi: managerAbi,
      functionName: "setTargetFunctionRole",
      args: [node, [addDocker.slice(0, 10) as Hex], 1n],
    });
    await act(market, people.admin, manager, move, delays.admin);
    expect((await faultsOf(market)).roles).to.include(
      "ComputeNode.addDocker is callable by role 1, expected 4",
    );
    await act(market, people.operations, node, addDocker, delays.operations);
    expect((await faultsOf(market)).wiring).to.deep.equal([
      `ComputeNode: dockers: ${people.outsider} reserves is unexpected`,
    ]);
  });

  it("covers replaced contracts, and finds no difference once the roles have introduced the successors and ended the old ones", async () => {
    const market = await loadGoverned();
    const { people, deployment, connection } = market;
    const callers = { ADMIN: people.admin, governance: people.admin, operations: people.operations };
    const call = ({ role, to, data }: RoleCall) =>
      role === "guardian" || role === "unpauser" || role === "dismissals"
        ? send(market, people.guardian, to, data)
        : act(market, callers[role], to, data, role === "operations" ? delays.operations : delays.admin);
    const ends = retirement("market", deployment.contracts);
    for (const end of ends.filter(({ contract }) => contract === "Pomc")) await call(end);
    const replacing = { connection, deployment, succession: "market", generation: 2, pollMs: 5 } as const;
    const replaced = await replaceNgpu({ ...replacing, changes: { feeBasisPoints: 200 } });
    const now = { ...market, deployment: replaced.deployment };
    const { Pomc } = deployment.contracts;
    const before = await faultsOf(now, {}, 16);
    expect(before.wiring).to.include(
      `ComputeNode: dockers: ${replaced.deployment.contracts.DockerContract} reserves is missing`,
    );
    expect(before.wiring).to.include(
      `Token: minters: ${Pomc} up to ${deployment.parameters.cap} is unexpected`,
    );
    expect(before.roles).to.include("Escrow.pause is callable by role 0, expected 2");
    for (const step of replaced.introduction) await call(step);
    expect(await faultsOf(now, {}, 16)).to.deep.equal({});
    for (const end of ends) await call(end);
    expect(await faultsOf(now, {}, 16)).to.deep.equal({});
    const [first] = now.deployment.previous;
    if (first === undefined) throw new Error("Nothing was replaced.");
    const other = { ...first, contracts: { ...first.contracts, DockerContract: Pomc } };
    const wrong = { ...now, deployment: { ...now.deployment, previous: [other] } };
    expect(await faultsOf(wrong, {}, 16)).to.include.keys("code of DockerContract of generation 1");
  });

  it("refuses delays of seconds on a public chain, and a deployer that keeps ADMIN", async () => {
    const { parameters } = (await loadGoverned()).deployment;
    expect(windowErrors(parameters, 10)).to.deep.equal([]);
    const short = { ...parameters, activationDelay: 4, delays: { ...delays, admin: 0 }, admin: undefined };
    expect(windowErrors(short, 31_337)).to.deep.equal([]);
    expect(windowErrors(short, 10)).to.deep.equal([
      "activationDelay is 4 s; a public chain needs at least 86400 s",
      "delays.admin is 0 s; a public chain needs at least 86400 s",
      "no admin is set, so the deployer would keep ADMIN",
    ]);
  });
});
