import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";
import type { ClientConfig } from "@ngpu/protocol/updates";
import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { z } from "zod";
import { applyEndpoints } from "./updates/applyConfig.ts";

const networkSchema = z.object({
  chainId: z.number().int().positive(),
  rpcUrls: z.array(z.url()).min(1),
  deployment: z.unknown().transform((value) => parseDeployment(value)),
  matchUrls: z.array(z.url()).min(1),
  gatewayUrls: z.array(z.url()),
  /** `name@sha256:…` of the only image that runs for measurements. */
  probeImage: z.string().nullish(),
});

/** The market's description: its contracts and the URLs of its chain, match instances and gateways. */
export type Network = z.infer<typeof networkSchema>;

/** @deadline The API to describe the market, body included. It is asked again; a node that joined once uses the stored description. */
const apiDeadline = 5_000;
const retryPause = 1_000;
const watchInterval = 60_000;

/** A URL of the market's API. @param path Without a leading slash. */
export function marketUrl(api: string, path: string): URL {
  return new URL(path, api.endsWith("/") ? api : `${api}/`);
}

/**
 * Fetches the market's description from the API.
 *
 * @throws RetryableError `api_unreachable` when the API does not respond; FatalError `market_document_invalid` when the response
 * does not describe a market.
 */
export async function fetchNetwork(api: string, signal?: AbortSignal): Promise<Network> {
  const url = marketUrl(api, "v1/network");
  const limit = AbortSignal.timeout(apiDeadline);
  let body: unknown;
  try {
    const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
    if (!response.ok) throw new Error(`status ${response.status}`);
    body = await response.json();
  } catch (error) {
    throw new RetryableError(`The market's API at ${url.href} does not respond: ${messageOf(error)}.`, {
      code: "api_unreachable",
      hint: "Check NGPU_API and that the market is running.",
      cause: error,
    });
  }
  return parseNetwork(body, url.href);
}

function parseNetwork(body: unknown, source: string): Network {
  const parsed = networkSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new FatalError(`${source} does not describe a market:\n${z.prettifyError(parsed.error)}`, {
    code: "market_document_invalid",
    hint: "Check that NGPU_API is the address of an ngpu API of this version.",
  });
}

/**
 * Fetches the market's description, or reads the stored one while the API is down: a node that joined once keeps following
 * the chain.
 *
 * @param options.attempts Requests to the API, a second apart, when no description is stored.
 * @throws RetryableError `api_unreachable` when the API does not respond and no description is stored; FatalError
 * `market_document_invalid`.
 */
export async function loadNetwork(options: {
  api: string;
  dir: string;
  logger: Logger;
  attempts?: number;
}): Promise<Network> {
  const path = join(options.dir, "network.json");
  for (let remaining = options.attempts ?? 10; ; remaining -= 1) {
    try {
      const network = await fetchNetwork(options.api);
      storeNetwork(path, options.api, network);
      return network;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const stored = readStoredNetwork(path, options.api);
      if (stored !== undefined) {
        options.logger.warn({ event: "network_from_file", path, error });
        return stored;
      }
      if (remaining <= 1) throw error;
      await sleep(retryPause);
    }
  }
}

function storeNetwork(path: string, api: string, network: Network): void {
  writeFileSync(`${path}.new`, toJson({ api, network }, 2), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readStoredNetwork(path: string, api: string): Network | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const stored = z.object({ api: z.string(), network: z.unknown() }).parse(JSON.parse(text));
  return stored.api === api ? parseNetwork(stored.network, path) : undefined;
}

/**
 * Polls the API and writes changed URLs into `network`, unless the signed configuration has others. When the contracts have changed, the client fails: its restart uses
 * another journal.
 */
export async function watchNetwork(options: {
  api: string;
  dir: string;
  network: Network;
  clientConfig: ClientConfig;
  logger: Logger;
  signal: AbortSignal;
  fail: (error: unknown) => void;
}): Promise<void> {
  const { network, logger, signal } = options;
  while (!signal.aborted) {
    await rest(watchInterval, signal);
    if (signal.aborted) return;
    try {
      const latest = await fetchNetwork(options.api, signal);
      if (!sameMarket(latest.deployment, network.deployment)) {
        options.fail(
          new FatalError("The market was redeployed.", {
            code: "market_redeployed",
            hint: "Restart the client to join the new deployment.",
          }),
        );
        return;
      }
      network.matchUrls = latest.matchUrls;
      network.gatewayUrls = latest.gatewayUrls;
      network.probeImage = latest.probeImage;
      applyEndpoints(network, options.clientConfig);
      storeNetwork(join(options.dir, "network.json"), options.api, latest);
    } catch (error) {
      if (!signal.aborted) logger.warn({ event: "network_poll_failed", reason: messageOf(error) });
    }
  }
}

/** Whether both describe the same contracts on the same chain. */
function sameMarket(a: Deployment, b: Deployment): boolean {
  return a.chainId === b.chainId && toJson(a.contracts).toLowerCase() === toJson(b.contracts).toLowerCase();
}
