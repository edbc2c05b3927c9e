import { generationsOf } from "@ngpu/contracts-sdk/generations";
import type { Database } from "@ngpu/db/pool";
import { explainReward } from "@ngpu/rewards/explain";
import { explainedDocument } from "@ngpu/rewards/explainedDocument";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { rewardOf } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { bondOf, epochOf, explanationOf, inStrings } from "../rewardView.ts";
import { address, page } from "../schemas/common.ts";
import { epochAnswer, epochList, rewardAnswer, rewardExplanation } from "../schemas/rewards.ts";
import { chainTime, claimedBy, findEpoch, listBonds, listEpochs, listLeaves } from "../store/rewards.ts";

/** Maximum leaves read per account; above the number of epochs within any practical activation delay. */
const maxLeavesRead = 100;

export function rewardRoutes(deps: ApiDeps): Endpoint[] {
  return [epochs(deps), epoch(deps), explanation(deps), reward(deps)];
}

const epochs = ({ db }: ApiDeps) =>
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
        next: nextAfter(rows, query.limit, (row) => row.number),
      };
    },
  );

const epoch = ({ db }: ApiDeps) =>
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
        code: "epoch_not_found",
        hint: "GET /v1/epochs lists the epochs.",
        status: 404,
      });
    },
  );

const explanation = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/epochs/:number/nodes/:nodeId",
      tag: "Rewards",
      summary: "Explain what a node earned in an epoch",
      description: "One sentence for each term of the formula, with its figures, from the epoch's document.",
      access: "public",
      params: z.object({
        number: z.string().regex(/^\d{1,18}$/, "is not an epoch"),
        nodeId: z.string().regex(/^\d{1,9}$/, "is not the id of a node"),
      }),
      answer: rewardExplanation,
    },
    async ({ params }) => {
      const row = await findEpoch(db, params.number);
      const document = explainedDocument.safeParse(row?.document);
      if (!document.success) {
        throw new InputError(
          `Epoch ${params.number} is not posted, or no document that explains it is stored here.`,
          {
            code: "epoch_not_found",
            hint: "GET /v1/epochs lists the epochs.",
            status: 404,
          },
        );
      }
      const found = explainReward(document.data, Number(params.nodeId));
      if (found !== undefined) return explanationOf(found);
      throw new InputError(`Node ${params.nodeId} was not registered in epoch ${params.number}.`, {
        code: "node_not_found",
        hint: "GET /v1/nodes lists the nodes.",
        status: 404,
      });
    },
  );

const reward = ({ db, deployment }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/rewards/:address",
      tag: "Rewards",
      summary: "Show the earned, withheld and claimable rewards of an account, with the proof",
      description:
        "Pass `epoch`, `cumulative` and `proof` to Pomc.claim. Any account may send the transaction.",
      access: "public",
      params: z.object({ address }),
      answer: rewardAnswer,
    },
    async ({ params }) => {
      const account = params.address;
      const [now, bonds] = await Promise.all([chainTime(db), listBonds(db, account)]);
      const rewards = await Promise.all(
        generationsOf(deployment, "Pomc").map((pomc) => rewardAt(db, account, pomc, now)),
      );
      const { granted, ...reward } = rewards.at(-1) as (typeof rewards)[number];
      const previous = rewards.slice(0, -1).filter(({ claimable, pending }) => claimable + pending > 0n);
      const withheld = bonds.reduce((sum, bond) => sum + bond.withheld, 0n);
      return {
        account,
        ...inStrings(reward),
        earned: String(granted + withheld),
        withheld: String(withheld),
        previous: previous.map(({ granted: _, ...owed }) => inStrings(owed)),
        bonds: bonds.map((row) => bondOf(row, deployment.parameters, now)),
      };
    },
  );

/** The account's reward at one contract. */
async function rewardAt(
  db: Database,
  account: string,
  { address, generation }: { address: string; generation: number },
  now: number,
) {
  const [leaves, claimed] = await Promise.all([
    listLeaves(db, account, generation, maxLeavesRead),
    claimedBy(db, account, generation),
  ]);
  const facts = leaves.map((leaf) => ({ ...leaf, activatesAt: leaf.activates_at }));
  const reward = rewardOf(facts, claimed, now);
  return { pomc: address.toLowerCase(), ...reward, claimed, granted: facts[0]?.cumulative ?? 0n };
}
