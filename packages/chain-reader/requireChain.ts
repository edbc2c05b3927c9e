import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { type Address, BaseError } from "viem";
import type { ChainClient } from "./client.ts";

/**
 * Checks at startup that the chain is reachable and that it is the chain of the deployment.
 *
 * @throws FatalError `chain_unreachable`, `chain_mismatch` or `contract_not_found`.
 */
export async function requireChain(
  client: ChainClient,
  deployment: Pick<Deployment, "chainId" | "contracts">,
): Promise<void> {
  const chainId = await queryAtStart(() => client.getChainId());
  if (chainId !== deployment.chainId) {
    throw new FatalError(
      `The endpoint serves chain ${chainId}; the deployment is on ${deployment.chainId}.`,
      {
        code: "chain_mismatch",
        hint: "Point CHAIN_RPC_URLS or DEPLOYMENT_FILE to the same chain.",
      },
    );
  }
  const code = await queryAtStart(() => codeAt(client, deployment.contracts.ComputeNode));
  if (code === "0x") {
    throw new FatalError(`There is no contract at ${deployment.contracts.ComputeNode}.`, {
      code: "contract_not_found",
      hint: "The chain was restarted, or the deployment belongs to another chain. Deploy again.",
    });
  }
}

/** viem's own function takes a missing result for no code. */
async function codeAt(client: ChainClient, address: Address): Promise<string> {
  const code: unknown = await client.request({ method: "eth_getCode", params: [address, "latest"] });
  if (typeof code !== "string") throw new TypeError("the code is no text");
  return code;
}

/** @deadline The chain at the start of a program, retries included. It stops with `chain_unreachable`. */
const startTimeoutMs = 15_000;

/** Tries of a query at the start whose answer is no JSON-RPC, and milliseconds between them. */
const unreadable = { tries: 5, pause: 200 };

/** viem tries again what an endpoint refuses, but not what it cannot read. */
async function queryUntilRead<Result>(query: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await query();
    } catch (error) {
      if (error instanceof BaseError || tries >= unreadable.tries) throw error;
      await rest(unreadable.pause, signal);
    }
  }
}

async function queryAtStart<Result>(query: () => Promise<Result>): Promise<Result> {
  const deadline = AbortSignal.timeout(startTimeoutMs);
  const timeout = Promise.withResolvers<never>();
  const onTimeout = () => timeout.reject(new Error(`no answer within ${startTimeoutMs / 1000} s`));
  deadline.addEventListener("abort", onTimeout, { once: true });
  try {
    return await Promise.race([queryUntilRead(query, deadline), timeout.promise]);
  } catch (error) {
    const isReadable = deadline.aborted || error instanceof BaseError;
    const reason = isReadable ? messageOf(error).split("\n")[0] : "its answers are no JSON-RPC";
    throw new FatalError(`The chain does not answer: ${reason}`, {
      code: "chain_unreachable",
      hint: "Check CHAIN_RPC_URLS and that the endpoint is up.",
      cause: error,
    });
  } finally {
    deadline.removeEventListener("abort", onTimeout);
  }
}
