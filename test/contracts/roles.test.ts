import { readFileSync } from "node:fs";
import { managerAbi, pausesAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { encodeFunctionData, type Hex } from "viem";
import { type Changing, changingFunctions } from "../../contracts/ignition/roleTable.ts";
import { whoMay } from "./support/callers.ts";
import { delays, type Governed, loadGoverned } from "./support/governed.ts";
import { expectRevert } from "./support/reverts.ts";

const page = new URL("../../docs/contracts/roles.md", import.meta.url);
const pausability = ["", "entry", "exit"];

/** The table's caller and pausability of each function. */
function tableOf(text: string): Map<string, string> {
  const rows = text.split("\n").flatMap((line) => {
    const [, name, who, paused] = /^\| `(\w+\.\w+)`\s*\| ([^|]+?)\s*\| ([^|]*?)\s*\|/.exec(line) ?? [];
    return name === undefined ? [] : [[name, `${who} | ${paused}`] as const];
  });
  return new Map(rows);
}

async function rowOf(market: Governed, changing: Changing): Promise<readonly [string, string]> {
  const { client, deployment } = market;
  const pausable = !["AccessManager", "Token"].includes(changing.contract);
  const kind = pausable
    ? await client.readContract({
        address: deployment.contracts[changing.contract],
        abi: pausesAbi,
        functionName: "pausabilityOf",
        args: [changing.selector],
      })
    : 0;
  return [
    `${changing.contract}.${changing.name}`,
    `${await whoMay(market, changing)} | ${pausability[kind] ?? ""}`,
  ];
}

async function managerOf(market: Governed, caller: Hex) {
  const wallet = await market.connection.viem.getWalletClient(caller);
  const manager = { address: market.deployment.contracts.AccessManager, abi: managerAbi } as const;
  return {
    schedule: (to: Hex, data: Hex) =>
      wallet.writeContract({ ...manager, functionName: "schedule", args: [to, data, 0] }),
    execute: (to: Hex, data: Hex) =>
      wallet.writeContract({ ...manager, functionName: "execute", args: [to, data] }),
    cancel: (by: Hex, to: Hex, data: Hex) =>
      wallet.writeContract({ ...manager, functionName: "cancel", args: [by, to, data] }),
  };
}

describe("Roles", () => {
  it("let exactly the callers in the table call each function", async function () {
    this.timeout(180_000);
    const market = await loadGoverned();
    const rows = new Map<string, string>();
    for (const changing of changingFunctions()) {
      const [name, row] = await rowOf(market, changing);
      rows.set(name, row);
    }
    expect(Object.fromEntries(tableOf(readFileSync(page, "utf8")))).to.deep.equal(Object.fromEntries(rows));
  });

  it("leave the deployer no role", async () => {
    const { client, deployment, people } = await loadGoverned();
    for (const role of [0n, 1n, 2n, 3n, 4n, 5n]) {
      const [isMember] = await client.readContract({
        address: deployment.contracts.AccessManager,
        abi: managerAbi,
        functionName: "hasRole",
        args: [role, people.deployer],
      });
      expect(isMember, `role ${role}`).to.equal(false);
    }
  });

  it("act after their delay, and the guardian may cancel in between", async () => {
    const market = await loadGoverned();
    const { people, deployment, connection } = market;
    const { Pomc } = deployment.contracts;
    const operations = await managerOf(market, people.operations);
    const guardian = await managerOf(market, people.guardian);
    const data = encodeFunctionData({ abi: pomcAbi, functionName: "setPoster", args: [people.outsider] });
    await expectRevert(operations.execute(Pomc, data), "AccessManagerNotScheduled");
    await operations.schedule(Pomc, data);
    await expectRevert(operations.execute(Pomc, data), "AccessManagerNotReady");
    const outsider = await managerOf(market, people.outsider);
    await expectRevert(outsider.cancel(people.operations, Pomc, data), "AccessManagerUnauthorizedCancel");
    await guardian.cancel(people.operations, Pomc, data);
    await connection.networkHelpers.time.increase(delays.operations);
    await expectRevert(operations.execute(Pomc, data), "AccessManagerNotScheduled");
    await operations.schedule(Pomc, data);
    await connection.networkHelpers.time.increase(delays.operations);
    await operations.execute(Pomc, data);
  });

  it("let the guardian cancel calls that ADMIN scheduled, except its own removal", async () => {
    const market = await loadGoverned();
    const { people, deployment, connection } = market;
    const { AccessManager } = deployment.contracts;
    const admin = await managerOf(market, people.admin);
    const guardian = await managerOf(market, people.guardian);
    const grant = encodeFunctionData({
      abi: managerAbi,
      functionName: "grantRole",
      args: [0n, people.outsider, 0],
    });
    const dismiss = encodeFunctionData({
      abi: managerAbi,
      functionName: "revokeRole",
      args: [2n, people.guardian],
    });
    await admin.schedule(AccessManager, grant);
    await guardian.cancel(people.admin, AccessManager, grant);
    await admin.schedule(AccessManager, dismiss);
    await expectRevert(
      guardian.cancel(people.admin, AccessManager, dismiss),
      "AccessManagerUnauthorizedCancel",
    );
    await connection.networkHelpers.time.increase(delays.admin);
    await expectRevert(admin.execute(AccessManager, grant), "AccessManagerNotScheduled");
    await admin.execute(AccessManager, dismiss);
    await admin.schedule(AccessManager, grant);
    await expectRevert(
      guardian.cancel(people.admin, AccessManager, grant),
      "AccessManagerUnauthorizedCancel",
    );
  });
});
