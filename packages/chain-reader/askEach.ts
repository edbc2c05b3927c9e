import type { EIP1193RequestFn } from "viem";
import type { ChainClient } from "./client.ts";
import { call, type RpcClient } from "./rpc.ts";

type Requester = { request: EIP1193RequestFn };

/**
 * Asks one endpoint after another until the answer of one is accepted: one endpoint may lack what another has.
 *
 * @param accept Returns undefined for an answer without the wanted value, and throws for one that cannot be used.
 * @returns Undefined if at least one endpoint answers, and none has the value.
 * @throws The last error if no endpoint gives a usable answer.
 */
export async function askEach<Result>(
  client: ChainClient,
  query: { method: string; params: readonly unknown[] },
  accept: (answer: unknown) => Result | undefined,
): Promise<Result | undefined> {
  let failure: unknown;
  let answers = 0;
  for (const endpoint of endpointsOf(client)) {
    try {
      const result = accept(await call(() => endpoint.request(query as never)));
      if (result !== undefined) return result;
      answers += 1;
    } catch (error) {
      failure = error;
    }
  }
  if (answers === 0) throw failure;
  return undefined;
}

/** The endpoints behind viem's fallback transport; else the client itself, and those beside the one in use. */
function endpointsOf(client: ChainClient & Pick<RpcClient, "otherEndpoints">): Requester[] {
  const { transports } = client.transport as { transports?: Requester[] };
  if (transports !== undefined) return transports;
  const { otherEndpoints } = client;
  return [client as Requester, ...(otherEndpoints === undefined ? [] : [otherEndpoints as Requester])];
}
