// Checks the configured chain, Postgres and Redis before anything uses them. A wrong address is one message within
// seconds, not a service that fails to start.

import { FatalError, messageOf } from "@ngpu/runtime/errors";
import pg from "pg";

const deadlineMs = 10_000;

/**
 * Requests the chain id from every endpoint.
 *
 * @returns The chain's id, the same at each endpoint.
 * @throws FatalError `chain_unreachable` or `endpoints_mismatch`.
 */
export async function checkChain(rpcUrls: string[], signal: AbortSignal): Promise<number> {
  const ids = await Promise.all(rpcUrls.map((url) => fetchChainId(url, signal)));
  const [first = 0] = ids;
  if (ids.some((id) => id !== first)) {
    const each = rpcUrls.map((url, index) => `${new URL(url).host} serves ${ids[index]}`).join(", ");
    throw new FatalError(`CHAIN_RPC_URLS names endpoints of different chains: ${each}.`, {
      code: "endpoints_mismatch",
      hint: "List endpoints of one chain only.",
    });
  }
  return first;
}

async function fetchChainId(url: string, signal: AbortSignal): Promise<number> {
  let answer: unknown;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    });
    answer = await response.json();
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(url, rootMessage(error), error);
  }
  const result = (answer as { result?: unknown } | null)?.result;
  if (typeof result === "string" && /^0x[0-9a-f]{1,12}$/i.test(result)) return Number(result);
  throw unreachable(url, `the response was ${JSON.stringify(answer)?.slice(0, 120)}`);
}

function unreachable(url: string, why: string, cause?: unknown): FatalError {
  return new FatalError(`${new URL(url).host} does not answer as a JSON-RPC endpoint: ${why}.`, {
    code: "chain_unreachable",
    hint: "Check CHAIN_RPC_URLS and that the endpoint is up, or unset it to use the embedded chain.",
    cause,
  });
}

/** @throws FatalError `database_unreachable` or `database_login_failed`. */
export async function checkPostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: deadlineMs });
  // connect or query throws the same error, and it is handled there.
  client.on("error", () => undefined);
  const host = new URL(url).host;
  try {
    await client.connect();
    await client.query("select 1");
  } catch (error) {
    // A rejected login has a SQLSTATE of five characters. An error without one means that no server was reached.
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (/^(28|3D)/.test(code) && code.length === 5) {
      throw new FatalError(
        `Postgres at ${host} refused the login of DATABASE_ADMIN_URL: ${messageOf(error)}.`,
        {
          code: "database_login_failed",
          hint: "Check the user, the password and the database in DATABASE_ADMIN_URL.",
          cause: error,
        },
      );
    }
    throw new FatalError(`Postgres at ${host} does not answer: ${rootMessage(error)}.`, {
      code: "database_unreachable",
      hint: "Check DATABASE_ADMIN_URL and that the server is up, or unset it to use the embedded Postgres.",
      cause: error,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @throws FatalError `redis_unreachable`. */
export async function checkRedis(url: string): Promise<void> {
  try {
    // Imported when it is used, because it loads hundreds of modules.
    const { pingRedis } = await import("@ngpu/db/queue");
    await pingRedis(url, deadlineMs);
  } catch (error) {
    throw new FatalError(`Redis at ${new URL(url).host} does not answer: ${rootMessage(error)}.`, {
      code: "redis_unreachable",
      hint: "Check REDIS_URL and that the server is up, or unset it to use an embedded Redis.",
      cause: error,
    });
  }
}

/** The message of the innermost cause: an outer message such as `fetch failed` has no detail. */
function rootMessage(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return rootMessage(error.errors[0]);
  if (error instanceof Error && error.name === "TimeoutError")
    return `no answer within ${deadlineMs / 1000} s`;
  if (error instanceof Error && error.cause instanceof Error) return rootMessage(error.cause);
  return messageOf(error).replace(/\.$/, "");
}
