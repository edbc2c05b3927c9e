import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestClient, createWalletClient, formatEther, http, parseEther, publicActions } from "viem";
import { chainOf, chainTransport, createChainClient } from "../../services/shared/chain/client.ts";
import { type Deployment, parseDeployment } from "../../services/shared/chain/deployment.ts";
import { FatalError } from "../../services/shared/errors.ts";
import { toJson } from "../../services/shared/json.ts";
import { runToEnd } from "../embedded/command.ts";
import type { Holder, Keys } from "./keys.ts";
import type { Market } from "./market.ts";

type Chain = Market["chain"];

/** Who sends transactions and so needs gas. Nodes and measurers never do. */
const gasPayers: Holder[] = ["match", "workspace", "dispense", "pomc", "api", "operator", "partner"];

/** Gives every sender gas: by decree on the embedded chain, from the deployer on any other. */
export async function fundSenders(chain: Chain, keys: Keys): Promise<void> {
  const client = createChainClient({ rpcUrls: chain.rpcUrls, chainId: await chainIdOf(chain) });
  if (chain.embedded) {
    const test = createTestClient({ mode: "hardhat", transport: http(chain.rpcUrls[0]) }).extend(
      publicActions,
    );
    const everyone: Holder[] = [...gasPayers, "deployer", "treasury", "guardian"];
    for (const holder of everyone) {
      await test.setBalance({ address: keys[holder].account.address, value: parseEther("1000") });
    }
    return;
  }
  const deployer = keys.deployer.account;
  const enough = parseEther("0.005");
  const wallet = createWalletClient({
    account: deployer,
    chain: chainOf(await client.getChainId()),
    transport: chainTransport(chain.rpcUrls),
  });
  for (const holder of gasPayers) {
    const { address } = keys[holder].account;
    if ((await client.getBalance({ address })) >= enough) continue;
    const own = await client.getBalance({ address: deployer.address });
    if (own < 2n * enough) {
      throw new FatalError(
        `The deployer ${deployer.address} has ${formatEther(own)} ETH left, too little to fund ${holder}.`,
        {
          code: "deployer_unfunded",
          hint: "Send it ETH on this chain, then start again.",
        },
      );
    }
    const hash = await wallet.sendTransaction({ to: address, value: 2n * enough });
    await client.waitForTransactionReceipt({ hash });
  }
}

/** The chain's own id, asked of its endpoint. */
export async function chainIdOf(chain: Chain): Promise<number> {
  // Any id serves to ask for the real one.
  return createChainClient({ rpcUrls: chain.rpcUrls, chainId: 1 }).getChainId();
}

/** Compiles what changed and deploys with Hardhat Ignition; on a chain that has the contracts already, only reads them. */
export async function deployContracts(
  market: Pick<Market, "rootDir" | "stateDir" | "keys" | "chain">,
  say: (detail: string) => void,
): Promise<{ deployment: Deployment; file: string }> {
  const { rootDir, stateDir, keys, chain } = market;
  say("compiling");
  const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
  await mustRun("The contracts do not compile", [hardhat, "build", "--quiet"], rootDir, {});
  say("deploying");
  const parameters = join(stateDir, "deployment-parameters.json");
  const file = join(stateDir, "deployment.json");
  writeFileSync(parameters, toJson(parametersOf(keys, chain), 2));
  await mustRun(
    "The contracts could not be deployed",
    [
      join(rootDir, "scripts/deploy.ts"),
      ...["--rpc-url", chain.rpcUrls[0] ?? ""],
      ...["--parameters", parameters],
      ...["--out", file],
      ...["--journal", join(stateDir, "ignition")],
      ...(chain.embedded ? ["--reset"] : []),
    ],
    rootDir,
    { DEPLOYER_KEY: keys.deployer.key },
  );
  return { deployment: parseDeployment(JSON.parse(readFileSync(file, "utf8"))), file };
}

/** Periods are seconds where the chain is embedded, so that a journey takes minutes; else the real ones. */
function parametersOf(keys: Keys, chain: Chain) {
  const address = (holder: Holder) => keys[holder].account.address;
  const periods = chain.embedded
    ? {
        slotSeconds: 4,
        epochSeconds: 20,
        activationDelay: 4,
        measureWindowSeconds: 30,
        measureTtlSeconds: 3_600,
      }
    : {
        slotSeconds: 60,
        epochSeconds: 3_600,
        activationDelay: 1_800,
        measureWindowSeconds: 300,
        measureTtlSeconds: 86_400,
      };
  return {
    ...periods,
    clockMarginSeconds: 120,
    quorum: 1,
    emissionPerEpoch: parseEther("1000"),
    cap: parseEther("1000000000"),
    genesisSupply: parseEther("100000000"),
    treasury: address("treasury"),
    guardian: address("guardian"),
    committers: [address("match")],
    keepers: [address("match"), address("workspace"), address("dispense")],
    measureKeepers: [address("match")],
    poster: address("pomc"),
  };
}

async function mustRun(
  what: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<void> {
  const result = await runToEnd(process.execPath, args, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  if (result.code === 0) return;
  throw new FatalError(`${what}:\n${result.output.trim()}`, { code: "contracts_failed" });
}
