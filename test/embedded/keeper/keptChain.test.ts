import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { privateKeyToAccount } from "viem/accounts";
import WebSocket from "ws";
import type { RunningChain } from "../../../scripts/embedded/chain.ts";
import { type KeptChain, keepChain } from "../../../scripts/embedded/keptChain.ts";
import { signalGroup } from "../../../scripts/embedded/leftovers.ts";
import { rootDir } from "../../support/parts.ts";
import { rpc } from "../../support/rpc.ts";
import { temporaryDir } from "../setup.ts";

type Block = { hash: string; number: string };

// Hardhat's first account, a public test key.
const rich = privateKeyToAccount("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const someone = `0x${"5e".repeat(20)}` as const;

describe("a journaled embedded chain", function () {
  this.timeout(180_000);
  const dir = temporaryDir();
  const { signal } = new AbortController();
  let kept: KeptChain;
  let chain: RunningChain;
  const ask = <Result>(method: string, params: unknown[] = []) =>
    rpc(kept.url, method, params) as Promise<Result>;
  const until = async (is: () => Promise<boolean>) => {
    while (!(await is())) await delay(50);
  };

  before(async () => {
    kept = await keepChain({ rootDir, stateDir: dir.path });
    chain = await kept.start(signal);
  });
  after(async () => {
    await chain.stop();
    await kept.stop();
    dir[Symbol.dispose]();
  });

  it("has the same blocks, balances and pending transactions after kill -9, at the same address", async () => {
    await ask("hardhat_setBalance", [someone, "0x7b"]);
    const send = async (nonce: number) => {
      const transaction = { chainId: 31337, type: "eip1559", to: someone, value: 1n, gas: 21_000n } as const;
      const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n };
      const raw = await rich.signTransaction({ ...transaction, ...fees, nonce });
      return ask<string>("eth_sendRawTransaction", [raw]);
    };
    const mined = await send(0);
    await until(async () => (await ask("eth_getTransactionReceipt", [mined])) !== null);
    const before = await ask<Block>("eth_getBlockByNumber", ["latest", false]);
    const waiting = await send(1);
    signalGroup(chain.process.pid, "SIGKILL");
    await chain.process.exited;
    const asked = ask<string>("eth_chainId");
    chain = await kept.start(signal);
    expect(await asked).to.equal("0x7a69");
    expect(await ask<Block>("eth_getBlockByNumber", [before.number, false])).to.deep.equal(before);
    await until(async () => (await ask("eth_getTransactionReceipt", [waiting])) !== null);
    expect(await ask("eth_getBalance", [someone, "latest"])).to.equal("0x7d");
  });

  it("continues to notify an open WebSocket of new blocks", async () => {
    const socket = new WebSocket(kept.url.replace("http", "ws"));
    await once(socket, "open");
    const heads: Block[] = [];
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as { method?: string; params?: { result: Block } };
      if (message.method === "eth_subscription" && message.params) heads.push(message.params.result);
    });
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
    await until(async () => heads.length > 0);
    signalGroup(chain.process.pid, "SIGKILL");
    await chain.process.exited;
    const seen = heads.length;
    chain = await kept.start(signal);
    await until(async () => heads.length > seen);
    const numbers = heads.map(({ number }) => Number(number));
    expect(numbers).to.deep.equal([...numbers].sort((one, two) => one - two));
    socket.terminate();
  });

  it("answers batches in order", async () => {
    const body = JSON.stringify([
      { jsonrpc: "2.0", id: 1, method: "hardhat_setBalance", params: [`0x${"6f".repeat(20)}`, "0x5"] },
      { jsonrpc: "2.0", id: 2, method: "eth_getBalance", params: [`0x${"6f".repeat(20)}`, "latest"] },
    ]);
    const headers = { "content-type": "application/json" };
    const response = await fetch(kept.url, { method: "POST", headers, body });
    expect(await response.json()).to.deep.equal([
      { jsonrpc: "2.0", id: 1, result: true },
      { jsonrpc: "2.0", id: 2, result: "0x5" },
    ]);
  });

  it("makes a block for each transaction with automine, without advancing the clock", async () => {
    await ask("evm_setAutomine", [true]);
    const first = Number(await ask("eth_blockNumber"));
    const [from] = await ask<string[]>("eth_accounts");
    for (let sent = 0; sent < 5; sent++) {
      const hash = await ask("eth_sendTransaction", [{ from, to: someone, value: "0x1" }]);
      expect(await ask("eth_getTransactionReceipt", [hash])).to.include({ status: "0x1" });
    }
    await ask("evm_setAutomine", [false]);
    expect(Number(await ask("eth_blockNumber"))).to.be.at.least(first + 5);
    const { timestamp } = await ask<{ timestamp: string }>("eth_getBlockByNumber", ["latest", false]);
    expect(Number(timestamp)).to.be.at.most(Math.floor(Date.now() / 1000));
  });

  it("rejects changes of its clock or its history", async () => {
    for (const method of ["evm_increaseTime", "evm_mine", "evm_revert", "hardhat_reset"]) {
      const error = await ask(method, []).catch((thrown: unknown) => thrown);
      expect(String(error)).to.include(`${method} is not served`);
    }
  });
});
