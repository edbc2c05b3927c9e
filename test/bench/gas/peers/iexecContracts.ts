import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Abi, type Hex, toFunctionSelector, zeroAddress } from "viem";
import { unpackPackage } from "../../npmPackage.ts";
import type { Deployer } from "./deployer.ts";

const name = "@iexec/poco";
const version = "6.1.0";
export const pocoVersion = version;

type Contract = { address: Hex; abi: Abi };
export type Poco = { hub: Contract; apps: Contract; workerpools: Contract };
type Artifact = {
  abi: Abi;
  bytecode: Hex;
  linkReferences?: Record<string, Record<string, { start: number; length: number }[]>>;
};

/** The facets that the measured acts need. The package's own deployment has more, for reading. */
const facets = [
  "facets/IexecConfigurationFacet",
  "facets/IexecCategoryManagerFacet",
  "facets/IexecERC20Facet",
  "facets/IexecEscrowTokenFacet",
  "facets/IexecPoco1Facet",
  "facets/IexecPoco2Facet",
];

/** Deploys PoCo's diamond with its registries, for a token. */
export async function deployPoco(deployer: Deployer, token: Hex, folder: string): Promise<Poco> {
  const root = await unpackPackage(folder, name, version);
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8")) as Artifact;
  const compiled = (path: string) =>
    read(`artifacts/contracts/${path}.sol/${path.slice(path.lastIndexOf("/") + 1)}.json`);
  const orders = await deployer.deploy(compiled("libs/IexecLibOrders_v5"));
  const registry = async (path: string): Promise<Contract> => {
    const { abi, bytecode } = compiled(path);
    const address = await deployer.deploy({ abi, bytecode });
    await deployer.send({ address, abi, functionName: "initialize", args: [zeroAddress] });
    return { address, abi };
  };
  const apps = await registry("registries/apps/AppRegistry");
  const datasets = await registry("registries/datasets/DatasetRegistry");
  const workerpools = await registry("registries/workerpools/WorkerpoolRegistry");
  // The owner is read through the diamond itself.
  const parts = [...facets.map(compiled), read("deployments/arbitrum/OwnershipFacet.json")];
  const hub = await deployDiamond(deployer, compiled("Diamond"), parts, orders);
  const { address: appsAt } = apps;
  const registries = [appsAt, datasets.address, workerpools.address];
  const args = [token, "Staked", "STK", 9, ...registries, zeroAddress];
  await deployer.send({ ...hub, functionName: "configure", args });
  await deployer.send({ ...hub, functionName: "createCategory", args: ["short", "", 3_600n] });
  return { hub, apps, workerpools };
}

async function deployDiamond(
  deployer: Deployer,
  diamond: Artifact,
  parts: Artifact[],
  orders: Hex,
): Promise<Contract> {
  const cuts: unknown[] = [];
  const known = new Set<string>();
  for (const part of parts) {
    const { abi } = part;
    const selectors = abi
      .filter((item) => item.type === "function")
      .map((item) => toFunctionSelector(item))
      .filter((selector) => !known.has(selector));
    for (const selector of selectors) known.add(selector);
    const facetAddress = await deployer.deploy({ abi, bytecode: linked(part, orders) });
    cuts.push({ facetAddress, action: 0, functionSelectors: selectors });
  }
  const owner = deployer.address;
  const args = [cuts, { owner, init: zeroAddress, initCalldata: "0x" }];
  const address = await deployer.deploy({ abi: diamond.abi, bytecode: diamond.bytecode, args });
  return { address, abi: parts.flatMap(({ abi }) => abi) as Abi };
}

/** Links a library's address into the placeholder of solc. */
function linked({ bytecode, linkReferences = {} }: Artifact, library: Hex): Hex {
  let code: string = bytecode;
  const places = Object.values(linkReferences).flatMap((file) => Object.values(file).flat());
  for (const { start, length } of places) {
    const at = 2 + 2 * start;
    code = code.slice(0, at) + library.slice(2).toLowerCase() + code.slice(at + 2 * length);
  }
  return code as Hex;
}
