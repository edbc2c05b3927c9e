import type { HookContext, NetworkHooks } from "hardhat/types/hooks";
import type { ChainType, NetworkConnection } from "hardhat/types/network";
import type { JsonRpcRequest, JsonRpcResponse } from "hardhat/types/providers";
import { coinbaseOf, passed } from "./switch.ts";

/** Restores the switch after the chain reverts to a snapshot, and records the passed switches. */
export default async function networkHooks(): Promise<Partial<NetworkHooks>> {
  return {
    onCoverageData: async (_context, tags) => {
      for (const tag of tags) passed.add(Number.parseInt(tag.slice(-12), 16));
    },
    onRequest: async <Type extends ChainType | string>(
      context: HookContext,
      connection: NetworkConnection<Type>,
      request: JsonRpcRequest,
      next: (
        context: HookContext,
        connection: NetworkConnection<Type>,
        request: JsonRpcRequest,
      ) => Promise<JsonRpcResponse>,
    ) => {
      const response = await next(context, connection, request);
      if (request.method !== "evm_revert") return response;
      const method = "hardhat_setCoinbase";
      await next(context, connection, { jsonrpc: "2.0", id: 0, method, params: [coinbaseOf()] });
      return response;
    },
  };
}
