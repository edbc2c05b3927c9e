import { messageOf } from "@ngpu/runtime/errors";
import { z } from "zod";
import { marketUrl } from "../network.ts";

/** @deadline The market's API when the operator asks for a node's status. The status is shown without its part. */
const deadlineMs = 5_000;

const amount = z.string().regex(/^\d+$/);

const nodeSchema = z.object({
  status: z.string(),
  tier: z.string().optional(),
  measurement: z
    .object({
      id: z.string(),
      closesAt: z.number(),
      downMbps: z.number().nullable(),
      upMbps: z.number().nullable(),
      portsReachable: z.number().nullable(),
      diskFreeGib: z.number().nullable(),
      expiresAt: z.number().nullable(),
    })
    .nullable(),
  uptime: z.object({ slots: z.number(), present: z.number(), share: z.number().nullable() }),
});

const rewardSchema = z.object({
  earned: amount,
  claimable: amount,
  pending: amount,
  claimed: amount,
  withheld: amount,
  bonds: z.array(
    z.object({
      nodeId: z.number(),
      withheld: amount,
      days: z.number(),
      daysNeeded: z.number(),
      returnsAt: z.number(),
    }),
  ),
});

/** What the market's API says about a node and its earnings. `failure`: why there is none. */
export type MarketView = {
  node: z.infer<typeof nodeSchema> | null;
  reward: z.infer<typeof rewardSchema> | null;
  failure: string | null;
};

/** Asks the API for a node's public entry and for the rewards of its wallet. Never throws. */
export async function marketView(
  api: string,
  { nodeId, account }: { nodeId: number | null; account: string },
): Promise<MarketView> {
  if (nodeId === null) return { node: null, reward: null, failure: null };
  const [node, reward] = await Promise.allSettled([
    read(api, `v1/nodes/${nodeId}`, nodeSchema),
    read(api, `v1/rewards/${account}`, rewardSchema),
  ]);
  const failed = [node, reward].find((result) => result.status === "rejected");
  return {
    node: node.status === "fulfilled" ? node.value : null,
    reward: reward.status === "fulfilled" ? reward.value : null,
    failure: failed === undefined ? null : messageOf(failed.reason),
  };
}

async function read<Shape extends z.ZodType>(
  api: string,
  path: string,
  shape: Shape,
): Promise<z.infer<Shape>> {
  const url = marketUrl(api, path);
  const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`${url.href} answered with status ${response.status}`);
  }
  return shape.parse(await response.json());
}
