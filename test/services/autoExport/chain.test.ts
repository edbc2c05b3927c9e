import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { chainOf, createChainClient } from "@ngpu/chain-reader/client";
import { deployNgpu, type NgpuDeployment } from "@ngpu/contracts/ignition/deploy";
import { computeNodeAbi, dockerContractAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, registrationTypes } from "@ngpu/contracts-sdk/typedData";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import getPort from "get-port";
import { createWalletClient, http, keccak256, parseEther, type TransactionReceipt, toBytes } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { startChain } from "../../../scripts/embedded/chain.ts";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { connectHardhat } from "../../../scripts/hardhat.ts";
import { compareWithRebuild } from "../../../services/autoExport/verify.ts";
import { rootDir, testStateDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";
import { spec } from "./fixtures.ts";
import { setup, silent, until, urlAs } from "./setup.ts";

// Hardhat's first account, which has ETH on every simulated chain.
const rich = privateKeyToAccount("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

describe("autoExport on the OP-stack simulation", function () {
  this.timeout(180_000);
  const undos: (() => Promise<void> | void)[] = [];
  let deployment: NgpuDeployment;
  let rpcUrl: string;
  let market: Awaited<ReturnType<typeof setup>>;
  let service: { process: RunningProcess; url: string };

  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), "export-"));
    undos.push(() => rmSync(folder, { recursive: true }));
    const chain = await startChain({ rootDir, stateDir: await testStateDir() });
    undos.push(chain.stop);
    rpcUrl = chain.url;
    deployment = await deploy(rpcUrl, folder);
    writeFileSync(join(folder, "deployment.json"), toJson(deployment));
    market = await setup();
    undos.push(market.drop);
    service = await startService();

    async function startService() {
      const port = await getPort();
      const url = `http://127.0.0.1:${port}`;
      const started = await startProcess({
        name: "autoExport",
        command: process.execPath,
        args: [join(rootDir, "services/autoExport/index.ts")],
        stateDir: await testStateDir(),
        env: {
          ...programEnv(),
          PORT: String(port),
          CHAIN_RPC_URLS: rpcUrl,
          DEPLOYMENT_FILE: join(folder, "deployment.json"),
          DATABASE_URL: urlAs(market.database, "ngpu_autoexport"),
        },
        ready: async (signal) => (await fetch(`${url}/healthz`, { signal })).ok,
      });
      undos.push(started.stop);
      return { process: started, url };
    }
    restart = startService;
  });
  let restart: () => Promise<typeof service>;

  after(async () => {
    for (const undo of undos.reverse()) await undo();
  });

  const stored = (receipt: TransactionReceipt) =>
    until("the block is stored", async () => {
      const { rows } = await market.db.query("select from head where tier = 'unsafe' and number >= $1", [
        receipt.blockNumber,
      ]);
      return rows.length === 1;
    });

  it("stores the events of transactions with the block, transaction and log index of their receipts", async () => {
    const key = privateKeyToAccount(generatePrivateKey());
    const receipt = await register(key);
    await stored(receipt);
    const { rows } = await market.db.query("select node_id, key, status, gpu_name, gpu_count from node");
    expect(rows).to.deep.equal([
      { node_id: 1, key: key.address.toLowerCase(), status: "online", gpu_name: "NVIDIA H200", gpu_count: 1 },
    ]);
    const log = receipt.logs.find(
      ({ address }) => address === deployment.contracts.ComputeNode.toLowerCase(),
    );
    const event = await market.db.query(
      "select block_number, block_hash, tx_hash, log_index, node_id, block_time from event_node_registered",
    );
    const block = await createChainClient({ rpcUrls: [rpcUrl], chainId: 31337 }).getBlock({
      blockNumber: receipt.blockNumber,
    });
    expect(event.rows).to.deep.equal([
      {
        block_number: receipt.blockNumber,
        block_hash: receipt.blockHash,
        tx_hash: receipt.transactionHash,
        log_index: log?.logIndex,
        node_id: 1n,
        block_time: new Date(Number(block.timestamp) * 1_000),
      },
    ]);
  });

  it("resumes where it stopped after kill -9", async () => {
    process.kill(service.process.pid, "SIGKILL");
    await service.process.exited;
    const receipt = await write(dockerContractAbi, "DockerContract", "registerImage", [
      keccak256("0x01"),
      10n,
      keccak256("0x02"),
      "host/name",
    ]);
    service = await restart();
    await stored(receipt);
    const { rows } = await market.db.query("select digest, size_bytes, block_number from image");
    expect(rows).to.deep.equal([
      { digest: keccak256("0x01"), size_bytes: 10n, block_number: receipt.blockNumber },
    ]);
  });

  it("holds the same rows as a rebuild from the chain", async () => {
    await stored(await write(tokenAbi, "Token", "transfer", [rich.address, 1n]));
    const connection = await market.db.connect();
    try {
      const client = createChainClient({ rpcUrls: [rpcUrl], chainId: 31337 });
      const signal = new AbortController().signal;
      const definitions = loadDefinitions();
      const found = await compareWithRebuild(
        { client, deployment, definitions, logger: silent, signal },
        connection,
      );
      expect(found.tables.filter((table) => table.stored !== table.rebuilt)).to.deep.equal([]);
      expect(found.tables.find(({ table }) => table === "event_transfer")?.rows).to.not.equal(0n);
    } finally {
      connection.release(true);
    }
  });

  it("reports its health and metrics", async () => {
    const health = (await (await fetch(`${service.url}/healthz`)).json()) as {
      details: Record<string, unknown>;
    };
    expect(health).to.deep.include({ ok: true });
    expect(health.details.role).to.equal("leader");
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    for (const name of [
      "ngpu_export_head_block_number",
      "ngpu_export_tip_block_number",
      "ngpu_export_lag_blocks",
      "ngpu_export_events_total",
      "ngpu_export_reorg_depth_blocks",
      "ngpu_export_rpc_endpoint_cost_seconds",
    ]) {
      expect(metrics).to.match(new RegExp(`^${name}`, "m"));
    }
  });

  it("exits cleanly when it is stopped", async () => {
    await service.process.stop();
    expect(await service.process.exited).to.deep.equal({ code: 0, signal: null });
  });

  async function write(
    abi: readonly unknown[],
    contract: keyof NgpuDeployment["contracts"],
    functionName: string,
    args: unknown[],
  ) {
    const wallet = createWalletClient({ account: rich, chain: chainOf(31337), transport: http(rpcUrl) });
    const hash = await wallet.writeContract({
      address: deployment.contracts[contract],
      abi,
      functionName,
      args,
    } as never);
    const client = createChainClient({ rpcUrls: [rpcUrl], chainId: 31337 });
    const receipt = await client.waitForTransactionReceipt({ hash });
    expect(receipt.status).to.equal("success");
    return receipt;
  }

  async function register(key: PrivateKeyAccount): Promise<TransactionReceipt> {
    const message = {
      key: key.address,
      wallet: "0x0000000000000000000000000000000000000000",
      spec: spec(1),
      pricePerSecond: 1_000n,
      gpuName: "NVIDIA H200",
      gpuUuids: [keccak256(toBytes("gpu"))],
      deadline: 2n ** 63n,
      consent: "0x",
    } as const;
    const signature = await key.signTypedData({
      domain: domainOf(deployment, "ComputeNode"),
      types: registrationTypes,
      primaryType: "Registration",
      message,
    });
    return write(computeNodeAbi, "ComputeNode", "registerBatch", [[message], [signature]]);
  }
});

async function deploy(rpcUrl: string, folder: string): Promise<NgpuDeployment> {
  const { connection } = await connectHardhat({
    rootDir,
    url: rpcUrl,
    accounts: "remote",
    journal: folder,
  });
  const { address } = rich;
  try {
    return await deployNgpu({
      connection,
      journal: { folder, id: "chain-31337" },
      parameters: {
        treasury: address,
        guardian: address,
        committers: [address],
        acknowledgers: [],
        keepers: [address],
        measureKeepers: [address],
        poster: address,
        slotSeconds: 4,
        epochSeconds: 20,
        activationDelay: 4,
        measureWindowSeconds: 30,
        measureTtlSeconds: 3_600,
        clockMarginSeconds: 120,
        quorum: 1,
        emissionPerEpoch: parseEther("1000"),
        cap: parseEther("1000000000"),
        genesisSupply: parseEther("100000000"),
      },
    });
  } finally {
    await connection.close();
  }
}
