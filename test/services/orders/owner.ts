import { setTimeout as delay } from "node:timers/promises";
import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { createWalletClient, encodeFunctionData, type Hex, http, toHex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { rpc } from "../../support/rpc.ts";
import type { Client } from "../apiServer/client.ts";
import { join, newWorkspace } from "../apiServer/partner.ts";
import { eventually } from "../support/context.ts";
import type { Bed } from "./bed.ts";
import { isDry, isSettled, type Model, type Observed, type Order } from "./model.ts";

/** Token units a second, as the nodes of the bed cost. */
const price = 1_000;
/** Seconds of one replica that an owner's deposit pays for. */
export const paidSeconds = 1_000_000;
const deposit = "0.000000001";

export type Owner = Awaited<ReturnType<typeof createOwner>>;

/** A partner with a wallet, a small deposit and an authorization. */
export async function createOwner(bed: Bed) {
  const account = privateKeyToAccount(generatePrivateKey());
  const { partner, authorizationId } = await join(bed, account, deposit);
  const call = (data: Hex) => callEscrow(bed, account, data);
  return {
    partner,
    publish: async (given: { replicas: number; expiresAt?: string }) => {
      const { status, body } = await partner.post<{ id: string }>("/v1/workspaces", {
        ...newWorkspace,
        ...given,
        maxPricePerSecond: String(price),
        env: { VERSION: "0" },
      });
      if (status !== 201) throw new Error(`Not published: ${JSON.stringify(body)}`);
      return body.id;
    },
    revoke: () =>
      call(
        encodeFunctionData({
          abi: escrowAbi,
          functionName: "revoke",
          args: [BigInt(authorizationId), false],
        }),
      ),
    /** Withdraws all but what runs out within seconds. */
    withdraw: async () => {
      const free = await bed.chain.client.readContract({
        address: bed.chain.deployment.contracts.Escrow,
        abi: escrowAbi,
        functionName: "withdrawableOf",
        args: [account.address],
      });
      const left = BigInt(price) * 10n;
      const args = [free > left ? free - left : 0n, account.address] as const;
      await call(encodeFunctionData({ abi: escrowAbi, functionName: "withdraw", args }));
      await bed.chain.pass(60);
    },
  };
}

/** Sends a call of the wallet itself, and waits until it is exported. */
export async function callEscrow(
  bed: Pick<Bed, "chain" | "market">,
  account: PrivateKeyAccount,
  data: Hex,
): Promise<void> {
  await rpc(bed.chain.url, "hardhat_setBalance", [account.address, toHex(10n ** 18n)]);
  const wallet = createWalletClient({ account, transport: http(bed.chain.url) });
  const hash = await wallet.sendTransaction({
    chain: null,
    to: bed.chain.deployment.contracts.Escrow,
    data,
  });
  const { status } = await bed.chain.client.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  if (status !== "success") throw new Error("The owner's call was reverted.");
  await bed.market.exported();
}

export type Answer = { accepted: true; sent: boolean } | { accepted: false; code: string };

/** Sends one request of an order. @throws TypeError when the connection breaks. */
export async function request(partner: Client, id: string, order: Order): Promise<Answer> {
  const { status, body } = await send(partner, id, order);
  if (status === 200) {
    const sent = [body.txHash, body.updated, body.scaled].some((hash) => typeof hash === "string");
    return { accepted: true, sent };
  }
  const code = String(body.code);
  if (status === 409 || status === 429) return { accepted: false, code };
  throw new Error(`${order.type} was answered with ${status} ${JSON.stringify(body)}`);
}

function send(partner: Client, id: string, order: Order) {
  const path = `/v1/workspaces/${id}`;
  if (order.type === "delete") return partner.delete(path);
  if (order.type === "scale") return partner.post(`${path}/update`, { replicas: order.replicas });
  if (order.type === "update") {
    return partner.post(`${path}/update`, { env: { VERSION: String(order.version) } });
  }
  return partner.post(`${path}/${order.type}`);
}

/** Refusals after which a client repeats its order. */
const passing = ["order_in_progress", "workspace_changed", "rate_limited"];

/** Repeats an order until it is accepted or refused for good, also while the server restarts. */
export function orderFirmly(partner: Client, id: string, order: Order): Promise<Answer> {
  return eventually(`an answer to ${JSON.stringify(order)}`, async () => {
    try {
      const answer = await request(partner, id, order);
      if (answer.accepted || !passing.includes(answer.code)) return answer;
    } catch (error) {
      // fetch() throws it for a connection that is refused or breaks.
      if (!(error instanceof TypeError)) throw error;
    }
    await delay(50);
    return undefined;
  });
}

/** The workspace as exported. */
export async function observe({ market }: Bed, id: string): Promise<Observed> {
  const versionOf = (row: string) => `(${row}.config::jsonb -> 'env' ->> 'VERSION')::int`;
  const { rows } = await market.pool.query<Omit<Observed, "leases">>(
    `select status, stopped, replicas, ${versionOf("workspace")} as version
     from chain.workspace as workspace where workspace_id = $1`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`Workspace ${id} is not exported.`);
  const leases = await market.pool.query<Observed["leases"][number]>(
    `select replica, state = 'running' as "isRunning", desired = 'run' as "mayRun",
       ${versionOf("placed")} <> $2 as "isOutdated"
     from chain.assignment as held
     join chain.workspace_history as placed on placed.workspace_id = held.workspace_id
       and placed.valid_from <= held.assigned_block
       and (placed.valid_to is null or placed.valid_to > held.assigned_block)
     where held.workspace_id = $1 and release_reason is null and state not in ('none', 'deleted', 'released')`,
    [id, row.version],
  );
  return { ...row, leases: leases.rows };
}

/** Waits until the workspace is what one of the models says. @returns That model. */
export async function settled(bed: Bed, id: string, worlds: Model[]): Promise<Model> {
  let seen: Observed | undefined;
  try {
    let passed = Date.now();
    const findWorld = async () => {
      const now = await observe(bed, id);
      seen = now;
      const world = worlds.find((one) => isSettled(one, now));
      // A lease that came to run after the withdrawal is paid out of its lock first, and the chain's time passes by its blocks alone.
      if (world === undefined && worlds.some(isDry) && Date.now() - passed > 5_000) {
        await bed.chain.pass(60);
        passed = Date.now();
      }
      return world;
    };
    // The jobs of a killed service are free again after 15 s, and it may have been killed during several of them.
    return await eventually("a settled workspace", findWorld, 120_000);
  } catch (error) {
    const { rows: placements } = await bed.market.pool.query(
      "select replica, status, refusal from app.placement where workspace_id = $1 order by requested_at",
      [id],
    );
    const texts = [seen, worlds, placements].map((value) => JSON.stringify(value));
    throw new Error(`Workspace ${id} is ${texts[0]}, not one of ${texts[1]}. Placements: ${texts[2]}`, {
      cause: error,
    });
  }
}

/** Leases and starts that a workspace got while it was stopped. */
export async function gotWhileStopped({ market }: Bed, id: string): Promise<number> {
  const { rows } = await market.pool.query<{ count: number }>(
    `select count(*)::int from (
       select block_number, log_index from chain.event_assigned where workspace_id = $1
       union all select block_number, log_index from chain.event_start_requested where workspace_id = $1
     ) as given
     where (select stopped from chain.event_stopped_set as ordered
       where workspace_id = $1 and (ordered.block_number, ordered.log_index) < (given.block_number, given.log_index)
       order by block_number desc, log_index desc limit 1)`,
    [id],
  );
  return rows[0]?.count ?? 0;
}

/** Number of leases and of orders to leases. */
export async function countActs({ market }: Bed, id: string): Promise<number> {
  const tables = ["assigned", "start_requested", "stop_requested", "delete_requested", "released"];
  const each = tables.map((name) => `select from chain.event_${name} where workspace_id = $1`);
  const { rows } = await market.pool.query<{ count: number }>(
    `select count(*)::int from (${each.join(" union all ")}) as acts`,
    [id],
  );
  return rows[0]?.count ?? 0;
}
