import { RetryableError } from "@ngpu/runtime/errors";
import { call, type RpcClient } from "./rpc.ts";

/**
 * Checks that the endpoint serves the chain that its client is for. What an endpoint says is checked before stored blocks are
 * discarded or become final for it: one that is pointed at another chain, or at a fork of this one, changes nothing.
 *
 * @throws RetryableError `rpc_chain_mismatch`.
 */
export async function requireSameChain({
  chain,
  request,
  penalize,
}: Pick<RpcClient, "chain" | "request" | "penalize">): Promise<void> {
  if (chain === undefined) return;
  const served: unknown = await call(() => request({ method: "eth_chainId" }));
  if (Number(served) === chain.id) return;
  penalize?.("rpc_chain_mismatch");
  throw new RetryableError(`The RPC endpoint serves the chain ${String(served)}, not ${chain.id}.`, {
    code: "rpc_chain_mismatch",
    hint: "Correct CHAIN_RPC_URLS. Until then the endpoint's blocks are not used.",
  });
}
