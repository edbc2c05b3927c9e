import { z } from "zod";
import { InputError } from "../../shared/errors.ts";
import { rewardOf } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { address, page } from "../schemas/common.ts";
import { epochAnswer, epochList, rewardAnswer } from "../schemas/market.ts";
import { chainTime, claimedBy, type EpochRow, findEpoch, listEpochs, listLeaves } from "../store/rewards.ts";

/** More epochs than can be posted within an activation delay that anyone would choose. */
const leavesLookedAt = 100;

export function rewardRoutes({ db }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/epochs",
        tag: "Rewards",
        summary: "List posted reward epochs, newest first",
        access: "public",
        query: page,
        answer: epochList,
      },
      async ({ query }) => {
        const rows = await listEpochs(db, query.limit, query.after);
        return {
          epochs: rows.map(epochOf),
          next: rows.length === query.limit ? (rows.at(-1)?.number ?? null) : null,
        };
      },
    ),
    endpoint(
      {
        method: "get",
        path: "/v1/epochs/:number",
        tag: "Rewards",
        summary: "Show an epoch with the document its root was computed from",
        access: "public",
        params: z.object({ number: z.string().regex(/^\d{1,18}$/, "is not an epoch") }),
        answer: epochAnswer,
      },
      async ({ params }) => {
        const row = await findEpoch(db, params.number);
        if (row !== undefined) return { ...epochOf(row), document: row.document ?? null };
        throw new InputError(`Epoch ${params.number} is not posted.`, {
          code: "epoch_unknown",
          status: 404,
        });
      },
    ),
    endpoint(
      {
        method: "get",
        path: "/v1/rewards/:address",
        tag: "Rewards",
        summary: "Show what an account can claim, with the proof",
        description: "Give `epoch`, `cumulative` and `proof` to Pomc.claim; anyone may send it.",
        access: "public",
        params: z.object({ address }),
        answer: rewardAnswer,
      },
      async ({ params }) => {
        const account = params.address;
        const [now, leaves, claimed] = await Promise.all([
          chainTime(db),
          listLeaves(db, account, leavesLookedAt),
          claimedBy(db, account),
        ]);
        const facts = leaves.map((leaf) => ({ ...leaf, activatesAt: leaf.activates_at }));
        const reward = rewardOf(facts, claimed, now);
        return {
          account,
          ...reward,
          cumulative: String(reward.cumulative),
          claimed: String(claimed),
          claimable: String(reward.claimable),
          pending: String(reward.pending),
        };
      },
    ),
  ];
}

function epochOf(row: EpochRow) {
  return {
    number: row.number,
    root: row.root,
    total: String(row.total),
    dataHash: row.data_hash,
    activatesAt: row.activates_at,
    disabled: row.disabled,
    tier: row.tier,
  };
}
