import { hashDocument } from "@ngpu/rewards/document";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { apiOf, settingsOf } from "../shared/settings.ts";
import { accountIn, attestEpoch } from "./attest.ts";
import { epochNumber, type RecomputedEpoch, recomputeEpoch, type SourceOptions } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

type Options = SourceOptions & { json: boolean };

/** The checks of an epoch; true: what the chain has is what its logs lead to. */
type EpochChecks = { root: boolean; total: boolean; dataHash: boolean };

function checksOf({ root, total, document, posted }: RecomputedEpoch): EpochChecks {
  return {
    root: root?.toLowerCase() === posted.root.toLowerCase(),
    total: total === posted.total,
    dataHash: hashDocument(document) === posted.dataHash.toLowerCase(),
  };
}

/** Recomputes an epoch's root from an RPC endpoint and prints whether it is the posted one. The exit code is 0 if it is, else 2. */
export async function verifyEpoch(text: string, options: Options & { attestWith?: string }): Promise<void> {
  const number = epochNumber(text);
  const recomputed = await recomputeEpoch(number, options);
  const { root, total, posted, document, source } = recomputed;
  const checks = checksOf(recomputed);
  const isValid = Object.values(checks).every(Boolean);
  const { attestWith: keyFile } = options;
  const attested =
    keyFile === undefined || root === null || !isValid
      ? undefined
      : await attestEpoch({ ...source, account: accountIn(keyFile, "watcher") }, { ...source, number, root });
  printVerdict(options, checks, { number, root, total, posted, document, attested }, [
    `Epoch ${number}: the chain has root ${posted.root}, total ${posted.total}.`,
    `Recomputed from the logs up to block ${document.asOf.block}: root ${root}, total ${total}.`,
    `${document.shares.length} shares, ${document.tasks.length} task incentives, ${document.measurers.length} measurers.`,
    ...(attested === undefined ? [] : [`Attested in transaction ${attested}.`]),
  ]);
}

const rewardSchema = z.object({ epoch: z.string().nullable(), cumulative: z.coerce.bigint() });

/**
 * Recomputes what an account was granted up to an epoch from an RPC endpoint, and compares it with the root on the chain and
 * with the stated amount. The exit code is 0 if all agree, else 2.
 */
export async function verifyReward(
  account: string,
  options: Options & { epoch?: string; cumulative?: string },
): Promise<void> {
  if (!/^0x[0-9a-fA-F]{40}$/.test(account)) {
    throw new InputError(`${account} is not an address.`, {
      code: "address_invalid",
      hint: "An address is 0x followed by 40 hexadecimal digits.",
    });
  }
  const stated = await statedReward(account, options);
  const recomputed = await recomputeEpoch(stated.number, options);
  const own = recomputed.leaves.find((leaf) => leaf.account === account.toLowerCase());
  const cumulative = own?.cumulative ?? 0n;
  const checks = { ...checksOf(recomputed), cumulative: cumulative === stated.cumulative };
  printVerdict(
    options,
    checks,
    { account, epoch: stated.number, stated: stated.cumulative, cumulative, proof: own?.proof },
    [
      `${account} was granted ${cumulative} token units up to epoch ${stated.number}; stated are ${stated.cumulative}.`,
      `Root on the chain: ${recomputed.posted.root}; recomputed: ${recomputed.root}.`,
    ],
  );
}

/** What is to be verified: the options, or what the API states. @throws InputError `reward_not_found` */
async function statedReward(
  account: string,
  options: Options & { epoch?: string; cumulative?: string },
): Promise<{ number: number; cumulative: bigint }> {
  const { epoch, cumulative } = options;
  if (epoch !== undefined && cumulative !== undefined && /^\d{1,30}$/.test(cumulative)) {
    return { number: epochNumber(epoch), cumulative: BigInt(cumulative) };
  }
  const stated = rewardSchema.parse(
    await apiOf(settingsOf(options)).call("GET /v1/rewards/{address}", { path: { address: account } }),
  );
  if (stated.epoch === null) {
    throw new InputError(`The API states no reward of ${account}.`, {
      code: "reward_not_found",
      hint: "State an epoch and an amount with --epoch and --cumulative.",
    });
  }
  return { number: epochNumber(stated.epoch), cumulative: stated.cumulative };
}
