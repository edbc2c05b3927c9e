import { requireHistory } from "@ngpu/chain-reader/requireHistory";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { createScriptedChain, randomFrom } from "./scriptedChain.ts";

describe("the check of an endpoint's history", () => {
  const check = (client: RpcClient) =>
    requireHistory(client, { addresses: [] }, 3n, new AbortController().signal);

  /** An endpoint that answers null for the block the first `times` times that it is asked for. */
  function without(times: number): RpcClient & { asked: () => number } {
    const chain = createScriptedChain(randomFrom(1));
    for (let count = 0; count < 10; count += 1) chain.mine([]);
    let asked = 0;
    const request = async (call: { method: string; params?: unknown }) => {
      if (call.method !== "eth_getBlockByNumber" || (call.params as [string])[0] !== "0x3") {
        return chain.client.request(call as never);
      }
      asked += 1;
      return asked <= times ? null : chain.client.request(call as never);
    };
    return { ...chain.client, request: request as never, asked: () => asked };
  }

  it("passes an endpoint that lacks the first block in one answer", async () => {
    const client = without(1);
    await check(client);
    expect(client.asked()).to.equal(2);
  });

  it("refuses an endpoint that never has it, with the reason", async () => {
    const failure = await check(without(Number.POSITIVE_INFINITY)).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(FatalError).with.property("code", "rpc_history_missing");
  });
});
