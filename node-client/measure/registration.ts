import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type LocalAccount, stringToHex, zeroAddress } from "viem";
import type { MeasurerEnv } from "../env.ts";
import type { Journal } from "../journal/open.ts";
import { lastBySubject } from "../journal/outbox.ts";
import { deadline, type Outbox } from "../outbox.ts";

/** Milliseconds until a refused registration is requested again. */
const retryRefused = 30_000;

/** The measurer's id on the chain; 0 before its registration. */
export function readMeasurerId(of: {
  account: LocalAccount;
  client: ChainClient;
  network: { deployment: Deployment };
}): Promise<number> {
  return of.client.readContract({
    address: of.network.deployment.contracts.Measure,
    abi: measureAbi,
    functionName: "measurerIdOf",
    args: [of.account.address],
  });
}

/** Submits the registration unless an earlier one is on its way or was refused a moment ago. */
export async function requestRegistration(of: {
  account: LocalAccount;
  env: MeasurerEnv;
  journal: Journal;
  outbox: Outbox;
}): Promise<void> {
  const { account, env, journal, outbox } = of;
  const last = lastBySubject(journal, "registerMeasurer").get("registerMeasurer");
  const isOpen = last?.status === "waiting" || last?.status === "queued";
  const isRecent = last !== undefined && Date.now() - (last.settledAt ?? last.createdAt) < retryRefused;
  if (isOpen || isRecent) return;
  await outbox.submit(
    "registerMeasurer",
    {
      key: account.address,
      wallet: env.MEASURER_WALLET ?? zeroAddress,
      region: env.MEASURER_REGION === undefined ? "0x0000" : stringToHex(env.MEASURER_REGION),
      deadline: deadline(),
      consent: env.MEASURER_WALLET_CONSENT ?? "0x",
    },
    "registerMeasurer",
  );
}
