import { formatEther } from "viem";
import { runConcurrently } from "../allOrNothing.ts";
import type { Market, MarketImages } from "../market.ts";
import type { Addresses } from "../ports.ts";
import type { JourneyResult } from "../result.ts";
import { type Api, createApi } from "./api.ts";
import { endWorkspace } from "./closing.ts";
import { measureNode } from "./measurement.ts";
import { joinMeasurer, joinNode } from "./node.ts";
import { joinPartner, type Partner } from "./partner.ts";
import { awaitEpoch, claimReward, readEpoch } from "./reward.ts";
import { journeyStep } from "./step.ts";
import { runTask } from "./task.ts";
import { type AssignmentRow, awaitState, inspectContainer, isAtLeast, publisher } from "./workspace.ts";

/** What partners need to use the market; the panel shows it. */
export type UsableMarket = {
  apiKey: string;
  refundable: string;
  workspace: JourneyResult["workspace"];
};

export type Journey = UsableMarket & { result: JourneyResult };

export type Given = {
  addresses: Addresses;
  images: MarketImages;
  /** Called when a workspace of the market has responded, even if other steps are late. */
  onUsable: (usable: UsableMarket) => void;
};

/** The journey from a machine to a rewarded wallet. Every step uses the real parts. */
export async function runJourney(market: Market, given: Given): Promise<Journey> {
  const [node, measurement, { usable, task }, { epoch, claim }] = await runConcurrently(
    market.signal,
    (signal) => {
      const own = { ...market, signal };
      const api = createApi(given.addresses.api, signal);
      const joined = journeyStep(
        own,
        ["node", "This machine joins as a compute node"],
        joinNode(own, given.addresses),
        (n) => n.summary,
      );
      return [
        joined,
        measure(own, given.addresses, joined),
        serve(own, api, given, joined),
        reward(own, api),
      ];
    },
  );
  const { diskFreeGib: _disk, ...measured } = measurement;
  return {
    ...usable,
    result: {
      ok: true,
      steps: market.reporter.timings,
      node: { id: node.id, address: node.address },
      workspace: usable.workspace,
      measurement: measured,
      task,
      epoch,
      claim: { wallet: claim.wallet, amount: claim.amount, txHash: claim.txHash },
    },
  };
}

/** A measurement node with another owner measures the node. */
async function measure(market: Market, addresses: Addresses, joined: Promise<{ id: number }>) {
  const measurer = await journeyStep(
    market,
    ["measurer", "A measurement node joins"],
    joinMeasurer(market, addresses),
    ({ id }) => `measurer ${id}`,
  );
  const { id: nodeId } = await joined;
  return journeyStep(
    market,
    ["measurement", "The measurement node measures the compute node"],
    (progress) => measureNode(market, { nodeId, measurer }, progress),
    (m) => `${m.downMbps} Mbit/s down, ${m.upMbps} up, ${m.portsReachable} port, ${m.diskFreeGib} GiB free`,
  );
}

/** A partner joins and publishes a workspace that responds. */
async function serve(market: Market, api: Api, { images, onUsable }: Given, joined: Promise<unknown>) {
  const partner = await journeyStep(
    market,
    ["partner", "A partner signs in, deposits, authorizes"],
    joinPartner(market, api),
    () => "1000 NGPU deposited",
  );
  // Without a node a placement is impossible and is retried only after a pause.
  await joined;
  const { workspaceId, container, task } = await work(market, partner, images.chat);
  const refundable = await journeyStep(
    market,
    ["balance", "The partner's refundable balance"],
    () => refundableBalance(partner.api),
    (b) => `${b} NGPU`,
  );
  const workspace = { id: workspaceId, image: container.image, containerId: container.containerId };
  const usable = { apiKey: partner.apiKey, refundable, workspace };
  onUsable(usable);
  return { usable, task };
}

/** From a published workspace to a task that its container answers. */
async function work(market: Market, partner: Partner, image: MarketImages["chat"]) {
  const publish = publisher(market, partner, image);
  const workspaceId = await journeyStep(
    market,
    ["publish", "The partner publishes a workspace"],
    publish,
    (id) => `workspace ${id}`,
  );
  if (!market.chain.embedded) cleanUpWorkspaces(market, partner, workspaceId);
  const lease = { workspaceId, partner, image };
  await journeyStep(
    market,
    ["assign", "match chooses a node, dispense assigns it"],
    (progress) => awaitState(market, lease, { what: "an assignment", reached: () => true, progress }),
    (row) => `node ${row.node_id}, lease ${row.lease}`,
  );
  await journeyStep(
    market,
    ["distribute", "The node pulls the image, Progress records it"],
    (progress) => {
      const reached = ({ milestone }: AssignmentRow) => milestone === "verified";
      return awaitState(market, lease, { what: "a verified image", reached, progress });
    },
    () => "verified by digest",
  );
  const container = await journeyStep(
    market,
    ["run", "nodeListen starts the container"],
    async (progress) => {
      const reached = (row: AssignmentRow) => isAtLeast(row, "running");
      const row = await awaitState(market, lease, { what: "a running container", reached, progress });
      return inspectContainer(market, { workspaceId, replica: row.replica, lease: row.lease });
    },
    (c) => c.containerId.slice(0, 12),
  );
  const task = await journeyStep(
    market,
    ["task", "The partner runs a task"],
    () => runTask(market, partner, workspaceId),
    (t) => `${t.ms} ms on node ${t.nodeId}`,
  );
  return { workspaceId, container, task };
}

async function reward(market: Market, api: Api) {
  const wallet = market.keys.operator.account.address;
  await journeyStep(
    market,
    ["epoch", "The epoch closes, pomc posts its reward root"],
    (progress) => awaitEpoch(market, wallet, progress),
    (e) => `epoch ${e.number}, ${formatEther(BigInt(e.total))} NGPU`,
  );
  const claim = await journeyStep(
    market,
    ["claim", "The operator's wallet claims its reward"],
    (progress) => claimReward(market, api, progress),
    (c) => `+${formatEther(BigInt(c.amount))} NGPU, balance ${c.balance}`,
  );
  // The wallet may have claimed from a later epoch than the awaited one.
  return { claim, epoch: await readEpoch(market, claim.epoch) };
}

const endDeadlineMs = 60_000;

/** On a persistent chain, a lease on a stopped node would continue to cost the partner. */
function cleanUpWorkspaces(market: Market, partner: Partner, workspaceId: string): void {
  market.onStop(`workspace ${workspaceId}`, () => {
    const signal = AbortSignal.timeout(endDeadlineMs);
    // The market's own signal has aborted every call by now.
    const api = createApi(partner.api.url, signal, partner.apiKey);
    return endWorkspace(market, { ...partner, api }, workspaceId, signal);
  });
}

async function refundableBalance(api: Api): Promise<string> {
  const account = await api.get<{ refundable: string }>("/v1/account");
  return formatEther(BigInt(account.refundable));
}
