import { decodeReason } from "@ngpu/contracts-sdk/abis";
import type { Address, Hex } from "viem";
import type { Changing } from "../../../contracts/ignition/roleTable.ts";
import { revertDataOf } from "../../../packages/tx-sender/revertReason.ts";
import type { Governed } from "./governed.ts";

/** Errors for a caller without permission, whatever the arguments are. */
const denials = new Set([
  // AccessManagedUnauthorized(address) and AccessManagerUnauthorizedAccount(address,uint64)
  "Unknown_0x068ca9d8",
  "Unknown_0xf07e038f",
  "AccessManagedUnauthorized",
  "AccessManagerUnauthorizedAccount",
  "CallerNotCommitter",
  "CallerNotKeeper",
  "CallerNotMeasureKeeper",
  "CallerNotPoster",
  "CallerNotReceiptsPoster",
  "CallerNotWatcher",
  "CallerNotUptimePoster",
  "CallerNotDocker",
  "CallerNotDockerContract",
  "CallerNotMeasure",
  "CallerNotMinter",
]);

/** Every caller that some function accepts, by its name in the table. */
export function callersOf({ people, deployment }: Governed): Record<string, Address> {
  const { AccessManager, DockerContract, Measure, Pomc } = deployment.contracts;
  return {
    ADMIN: people.admin,
    operations: people.operations,
    guardian: people.guardian,
    unpauser: people.unpauser,
    poster: people.poster,
    "receipts' poster": people.receiptsPoster,
    watcher: people.watcher,
    keeper: people.keeper,
    "measure keeper": people.measureKeeper,
    committer: people.committer,
    AccessManager,
    DockerContract,
    Measure,
    Pomc,
    outsider: people.outsider,
  };
}

/** The callers that a function accepts, by calling it as each of them. Zeros decode to empty lists and zero values. */
export async function whoMay(market: Governed, changing: Changing): Promise<string> {
  const to = market.deployment.contracts[changing.contract];
  const data = `${changing.selector}${"0".repeat(64 * 40)}` as Hex;
  const callers = Object.entries(callersOf(market));
  const through: string[] = [];
  for (const [name, account] of callers) {
    const fault = await market.client.call({ to, data, account }).then(
      () => undefined,
      (error: unknown) => error,
    );
    const reason = fault === undefined ? "" : decodeReason(revertDataOf(fault) ?? "0x").name;
    if (!denials.has(reason)) through.push(name);
  }
  return through.length === callers.length ? "anyone" : through.join(", ") || "nobody";
}
