import { ApiError } from "@ngpu/api-client/errors";
import { endWith } from "../shared/exitCodes.ts";
import { failureOf } from "../shared/failure.ts";
import { json, print, styled } from "../shared/output.ts";
import { profilesPath, readProfiles } from "../shared/profiles.ts";
import { apiOf, type GlobalOptions, type Settings, settingsOf } from "../shared/settings.ts";
import { tokens } from "../shared/units.ts";

type Check = { name: string; ok: boolean; detail: string; hint?: string };

const oldestNode = 24;
/** Seconds that a clock may differ: sign-ins, permits and authorizations have times. */
const largestSkew = 30;
/** @deadline An answer of the API or of an RPC endpoint to `ngpu doctor`. The check fails. */
const answerTimeout = 10_000;

/** Checks the caller's set-up. Each problem says what to do. The exit code is 2 when there is one. */
export async function doctor(options: GlobalOptions): Promise<void> {
  const checks: Check[] = [];
  const add = (found: readonly Check[]) => {
    checks.push(...found);
    if (options.json !== true) for (const check of found) print(lineOf(check));
  };
  add([nodeVersion(), profileFile(options)]);
  if (checks.every(({ ok }) => ok)) {
    const settings = settingsOf(options);
    const reached = await reachApi(settings);
    add(reached.checks);
    if (reached.rpc !== undefined) {
      add(await Promise.all(reached.rpc.urls.map((url) => reachChain(url, reached.rpc.chainId))));
      add(await checkAccount(settings));
    }
  }
  const isHealthy = checks.every(({ ok }) => ok);
  if (options.json === true) print(json({ ok: isHealthy, checks }));
  endWith(isHealthy ? "success" : "no");
}

function lineOf({ name, ok, detail, hint }: Check): string {
  const mark = ok ? styled("green", "ok     ") : styled("red", "problem");
  return `${mark}  ${name}: ${detail}${ok || hint === undefined ? "" : `\n         ${hint}`}`;
}

function nodeVersion(): Check {
  const ok = Number(process.versions.node.split(".")[0]) >= oldestNode;
  return { name: "Node", ok, detail: process.versions.node, hint: `Install Node ${oldestNode} or newer.` };
}

function profileFile(options: GlobalOptions): Check {
  const name = "Profile";
  try {
    const { current, profiles } = readProfiles();
    const used = options.profile ?? current;
    settingsOf(options);
    const detail =
      profiles[used] === undefined
        ? "none; options and the environment are used"
        : `${used} in ${profilesPath()}`;
    return { name, ok: true, detail };
  } catch (error) {
    return problem(name, error);
  }
}

/** Whether the API answers, and whether the clocks agree. */
async function reachApi(settings: Settings) {
  const url = settings.api.replace(/\/+$/, "");
  const begun = performance.now();
  try {
    const signal = AbortSignal.timeout(answerTimeout);
    const response = await fetch(`${url}/v1/network`, { signal });
    const network = (await response.json()) as { chainId: number; rpcUrls: string[] };
    const took = Math.round(performance.now() - begun);
    if (!Array.isArray(network.rpcUrls)) throw new Error(`it answered HTTP ${response.status}`);
    const checks = [
      { name: "API", ok: true, detail: `${url} answers in ${took} ms` },
      clock(response.headers.get("date")),
    ];
    return { checks, rpc: { urls: network.rpcUrls, chainId: network.chainId } };
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const hint = "Check the URL (--api, NGPU_API or the profile) and the network.";
    const detail = `${url} does not answer: ${failureOf(reason).message}`;
    return { checks: [{ name: "API", ok: false, detail, hint }] };
  }
}

function clock(date: string | null): Check {
  const skew = date === null ? 0 : Math.round((Date.now() - Date.parse(date)) / 1000);
  const detail = Math.abs(skew) <= 1 ? "agrees with the API's" : `differs by ${skew} s from the API's`;
  return {
    name: "Clock",
    ok: Math.abs(skew) <= largestSkew,
    detail,
    hint: "Set the clock, for example with NTP.",
  };
}

async function reachChain(url: string, chainId: number): Promise<Check> {
  const name = "Chain";
  const hint = "Withdrawals, claims and ngpu verify receipt need an endpoint; name another with --rpc-url.";
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
      signal: AbortSignal.timeout(answerTimeout),
    });
    const { result } = (await response.json()) as { result: string };
    const ok = Number(result) === chainId;
    return { name, ok, detail: `${url} serves chain ${Number(result)}${ok ? "" : `, not ${chainId}`}`, hint };
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { name, ok: false, detail: `${url} does not answer: ${failureOf(reason).message}`, hint };
  }
}

async function checkAccount(settings: Settings): Promise<Check[]> {
  const key = "API key";
  if (settings.key === undefined) {
    return [{ name: key, ok: false, detail: "none is set", hint: "Run ngpu login, or set NGPU_API_KEY." }];
  }
  try {
    const account = await apiOf(settings).call("GET /v1/account", {});
    const isAuthorized = account.authorizations.some(({ usable }) => usable);
    return [
      { name: key, ok: true, detail: `valid, of wallet ${account.wallet}` },
      {
        name: "Balance",
        ok: account.refundable !== "0",
        detail: `${tokens(account.refundable)} NGPU`,
        hint: "Deposit with ngpu deposit; a market of `npm start` gives test tokens with ngpu faucet.",
      },
      {
        name: "Authorization",
        ok: isAuthorized,
        detail: isAuthorized ? "the API may publish" : "the API may not publish",
        hint: "Run ngpu authorize.",
      },
    ];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [problem(key, error)];
  }
}

function problem(name: string, error: unknown): Check {
  const { message, hint } = failureOf(error);
  return { name, ok: false, detail: message, hint };
}
