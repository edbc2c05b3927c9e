import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { createChainClient } from "@ngpu/chain-reader/client";
import { requireHistory } from "@ngpu/chain-reader/requireHistory";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { isPublicAddress } from "@ngpu/runtime/publicAddress";
import { marketUrl } from "../../network.ts";
import type { Check } from "../check.ts";
import { found, type Problem } from "../problems.ts";
import type { World } from "../world.ts";

/** @deadline A service of the market to answer the doctor. The service counts as unreachable. */
const deadlineMs = 8_000;
/** The largest difference of clocks with which signatures are accepted, with room for the answer's way. */
const clockTolerance = 30_000;
/** The chain makes a block at least this often. */
const newestBlockAge = 120_000;

/** Names, the market's services and the chain's endpoints. */
export const networkChecks: Record<string, Check> = {
  "market's API": (world) => marketProblems(world),
  "engine's proxy": (world) => proxyProblems(world),
  clock: (world) => clockProblems(world),
  "RPC endpoints": (world) => rpcProblems(world),
  "chain's history": (world) => historyProblems(world),
  match: async (world) => oneReachable((await world.network())?.matchUrls ?? [], "match_unreachable"),
  gateways: async (world) => oneReachable((await world.network())?.gatewayUrls ?? [], "gateway_unreachable"),
  "address of this machine": ({ env }) => hostProblems(env.NODE_HOST),
};

/** Requests a URL. @returns The response's status and date, or the reason why there is none. */
async function request(url: string): Promise<{ status: number; date: string | null } | { failure: unknown }> {
  try {
    const response = await fetch(url.replace(/^ws/, "http"), { signal: AbortSignal.timeout(deadlineMs) });
    await response.body?.cancel();
    return { status: response.status, date: response.headers.get("date") };
  } catch (error) {
    return { failure: error };
  }
}

async function marketProblems({ env: { NGPU_API: api }, network }: World): Promise<Problem[]> {
  if (api === undefined) return [found("settings_invalid", "NGPU_API is not set.")];
  const url = marketUrl(api, "v1/network").href;
  const answer = await request(url);
  if ("failure" in answer) return [unreachable(url, answer.failure)];
  if (answer.status === 200 && (await network()) !== undefined) return [];
  const code = answer.status >= 500 ? "market_unreachable" : "market_answer_invalid";
  return [found(code, `${url} answers with status ${answer.status}.`, { url })];
}

function unreachable(url: string, error: unknown): Problem {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = String((cause as NodeJS.ErrnoException).code ?? "");
  const evidence = `${url}: ${code || messageOf(cause)}`;
  const host = new URL(url).hostname;
  if (/^(ENOTFOUND|EAI_AGAIN|ENODATA)$/.test(code)) return found("dns_failing", evidence, { host });
  if (/CERT|SELF_SIGNED|TLS|ISSUER/.test(code)) return found("market_certificate_invalid", evidence, { url });
  return found("market_unreachable", evidence, { url });
}

/** The engine fetches images through the proxy that its settings name. */
async function proxyProblems(world: World): Promise<Problem[]> {
  const engine = await world.engine();
  if ("failure" in engine) return [];
  const proxies = new Set([engine.info.HttpsProxy, engine.info.HttpProxy].filter((proxy) => proxy));
  for (const proxy of proxies) {
    const url = URL.canParse(proxy ?? "") ? (proxy ?? "") : `http://${proxy}`;
    const answer = URL.canParse(url) ? await request(url) : { failure: undefined };
    if ("failure" in answer) return [found("engine_proxy_failing", `docker info: the proxy is ${proxy}.`)];
  }
  return [];
}

async function clockProblems({ env: { NGPU_API: api } }: World): Promise<Problem[]> {
  if (api === undefined) return [];
  const asked = Date.now();
  const answer = await request(marketUrl(api, "v1/network").href);
  if ("failure" in answer || answer.date === null) return [];
  const ahead = (asked + Date.now()) / 2 - Date.parse(answer.date);
  if (!(Math.abs(ahead) > clockTolerance)) return [];
  const seconds = Math.round(Math.abs(ahead) / 1_000);
  return [
    found(
      "clock_wrong",
      `This machine's clock is ${seconds} s ${ahead > 0 ? "ahead of" : "behind"} the market's.`,
    ),
  ];
}

async function rpcProblems(world: World): Promise<Problem[]> {
  const network = await world.network();
  if (network === undefined) return [];
  const read = await Promise.all(network.rpcUrls.map((url) => readEndpoint(url, network.chainId)));
  const problems = read.flatMap((one) =>
    "chainId" in one && one.chainId !== network.chainId ? [wrongChain(one)] : [],
  );
  const answered = read.filter((one) => "chainId" in one);
  if (answered.length === 0) {
    const [first] = read;
    const url = network.rpcUrls[0] ?? "";
    return [
      found("rpc_unreachable", `${network.rpcUrls.join(", ")}: ${(first as { failure: string }).failure}`, {
        url,
      }),
    ];
  }
  const newest = Math.max(...answered.map(({ time }) => time));
  const age = Date.now() - newest * 1_000;
  if (age > newestBlockAge) {
    const evidence = `The newest block is ${Math.round(age / 1_000)} s old.`;
    problems.push(found("rpc_behind", evidence, { url: answered[0]?.url ?? "" }, "likely"));
  }
  return problems;
}

function wrongChain({ url, chainId }: { url: string; chainId: number }): Problem {
  return found("rpc_wrong_chain", `${url} serves chain ${chainId}.`);
}

type Endpoint = { url: string } & ({ chainId: number; time: number } | { failure: string });

async function readEndpoint(url: string, chainId: number): Promise<Endpoint> {
  try {
    const client = createChainClient({ rpcUrls: [url], chainId });
    const [id, block] = await Promise.all([client.getChainId(), client.getBlock({ blockTag: "latest" })]);
    return { url, chainId: id, time: Number(block.timestamp) };
  } catch (error) {
    return { url, failure: messageOf(error).split("\n")[0] ?? "" };
  }
}

async function historyProblems(world: World): Promise<Problem[]> {
  const network = await world.network();
  if (network === undefined) return [];
  const { deployment, rpcUrls, chainId } = network;
  const client = createChainClient({ rpcUrls, chainId });
  try {
    await requireHistory(
      client,
      { addresses: addressesOf(deployment, "DockerContract") },
      deployment.startBlock,
    );
  } catch (error) {
    // An endpoint that does not answer at all is reported by the check of the endpoints.
    if (error instanceof FatalError) return [found("rpc_limited", error.message)];
  }
  return [];
}

/** Any HTTP answer shows that the service is reached. */
async function oneReachable(
  urls: readonly string[],
  code: "match_unreachable" | "gateway_unreachable",
): Promise<Problem[]> {
  if (urls.length === 0) return [];
  const answers = await Promise.all(urls.map(request));
  if (answers.some((answer) => "status" in answer)) return [];
  const [first] = answers;
  const cause = first !== undefined && "failure" in first ? (first.failure as Error).cause : undefined;
  const reason = (cause as NodeJS.ErrnoException | undefined)?.code ?? "no answer";
  return [found(code, `${urls.join(", ")}: ${reason}`, { url: (urls[0] ?? "").replace(/^ws/, "http") })];
}

async function hostProblems(host: string | undefined): Promise<Problem[]> {
  if (host === undefined) return [];
  try {
    const addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
    const hidden = addresses.find((address) => !isPublicAddress(address));
    return hidden === undefined ? [] : [found("host_private", `NODE_HOST is ${host}: ${hidden}`)];
  } catch (error) {
    return [found("host_unresolvable", `NODE_HOST is ${host}: ${messageOf(error)}`)];
  }
}
