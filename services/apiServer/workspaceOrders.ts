import { randomUUID } from "node:crypto";
import type { AbiName, Abis } from "@ngpu/contracts-sdk/abis";
import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { SendRequest } from "@ngpu/tx-sender/send";
import type { SendResult } from "@ngpu/tx-sender/sendOutcome";
import type { ContractFunctionName } from "viem";
import type { Writer } from "./chainWriter.ts";
import { claimOrder, fateOf, recordOrderKey, releaseOrder } from "./store/workspaceOrders.ts";

type Writes = "nonpayable" | "payable";

/** Sends one order of a workspace, in one or several transactions. */
export type OrderSender = {
  /**
   * @throws InputError `workspace_closed`, `workspace_changed`, `authorization_ended` (409); what Writer.write throws otherwise.
   */
  write<Name extends AbiName, Fn extends ContractFunctionName<Abis[Name], Writes>>(
    request: Omit<SendRequest<Name, Fn>, "dedupeKey">,
  ): Promise<SendResult<Name>>;
};

export type WorkspaceOrders = {
  /**
   * Runs `send` while no other request orders anything for the workspace, and after the previous order is in the database. So the
   * chain has the orders in the order of their responses, and each order is decided on the result of the previous one.
   *
   * @param options.waits Waits up to ten seconds for another request's order. Default: it is refused at once.
   * @throws InputError `order_in_progress` (409); what `send` throws.
   */
  run<Result>(
    workspaceId: string,
    send: (order: OrderSender) => Promise<Result>,
    options?: { waits?: boolean },
  ): Promise<Result>;
};

type OrderDeps = {
  db: Database;
  writer: Writer;
  /** Number of this process, whose advisory lock it holds until it ends. */
  runner: bigint;
  logger: Logger;
  signal: AbortSignal;
};

/** @deadline Another request's order for the same workspace, for a deletion. It is refused with `order_in_progress`. */
const turnDeadline = 10_000;
/** Milliseconds between two looks whether the other order has ended. */
const turnPause = 200;

export function createWorkspaceOrders(deps: OrderDeps): WorkspaceOrders {
  const { signal } = deps;
  // The workspaces with an order of this process: the database tells its processes apart, not its requests.
  const active = new Set<string>();
  return {
    async run(workspaceId, send, { waits = false } = {}) {
      const until = Date.now() + turnDeadline;
      for (;;) {
        const ended = await runAlone(deps, active, workspaceId, send);
        if (ended !== null) return ended.result;
        if (!waits || signal.aborted || Date.now() >= until) throw inProgress(workspaceId);
        await rest(turnPause, signal);
      }
    },
  };
}

/** Runs `send` under a claim. @returns Null while another request has it. */
async function runAlone<Result>(
  deps: OrderDeps,
  active: Set<string>,
  workspaceId: string,
  send: (order: OrderSender) => Promise<Result>,
): Promise<{ result: Result } | null> {
  const { db, logger, runner } = deps;
  if (active.has(workspaceId)) return null;
  active.add(workspaceId);
  const claim = randomUUID();
  try {
    const claimed = await claimOrder(db, workspaceId, { claim, runner });
    if (claimed === null) return null;
    const { previousKey } = claimed;
    if (previousKey !== null) await settlePrevious(deps, workspaceId, previousKey);
    return { result: await send(senderOf(deps, workspaceId, claim)) };
  } finally {
    // The next order takes over a claim that is not released.
    await releaseOrder(db, workspaceId, claim).catch((error: unknown) =>
      logger.warn({ event: "order_release_failed", workspaceId, error }),
    );
    active.delete(workspaceId);
  }
}

/** Waits until the previous order is mined and exported. */
async function settlePrevious(
  { db, writer }: Pick<OrderDeps, "db" | "writer">,
  workspaceId: string,
  key: string,
): Promise<void> {
  const fate = await fateOf(db, key);
  if (fate.status === "none") return;
  const block = fate.status === "mined" ? fate.block : await writer.settled(key);
  if (block === undefined || !(await writer.exported(block))) throw inProgress(workspaceId);
}

function senderOf(
  { db, writer }: Pick<OrderDeps, "db" | "writer">,
  workspaceId: string,
  claim: string,
): OrderSender {
  let sent = 0;
  return {
    async write(request) {
      const dedupeKey = `order:${claim}:${sent++}`;
      if (!(await recordOrderKey(db, workspaceId, { claim, key: dedupeKey }))) throw inProgress(workspaceId);
      try {
        return await writer.write({ ...request, dedupeKey } as typeof request);
      } catch (error) {
        throw refusalOf(error, workspaceId);
      }
    },
  };
}

type Cause = { cause?: InputError; details?: Record<string, unknown> };

/** The errors for what the contract refuses, by the name of its error. */
const refusals: Record<string, (id: string, cause: Cause) => InputError> = {
  WorkspaceNotOpen: closedError,
  WorkspaceSpecMismatch: (id, cause) =>
    new InputError(`Workspace ${id} was changed by another order.`, {
      code: "workspace_changed",
      hint: "Read the workspace, then repeat the order.",
      status: 409,
      ...cause,
    }),
  CallerNotAuthorized: (id, cause) =>
    new InputError(
      `The authorization of workspace ${id} is revoked or has expired, so the API may not change it.`,
      {
        code: "authorization_ended",
        hint: "Publish it again under a new authorization. The owner's wallet can call closeWorkspace.",
        status: 409,
        ...cause,
      },
    ),
};

/** Translates the contract's refusal of an order. */
function refusalOf(error: unknown, workspaceId: string): unknown {
  if (!(error instanceof InputError) || typeof error.details.error !== "string") return error;
  return refusals[error.details.error]?.(workspaceId, { cause: error, details: error.details }) ?? error;
}

/** A closed workspace takes no more orders. */
export function closedError(id: string, cause: Cause = {}): InputError {
  return new InputError(`Workspace ${id} is closed.`, {
    code: "workspace_closed",
    hint: "Publish it again: POST /v1/workspaces.",
    status: 409,
    ...cause,
  });
}

function inProgress(id: string): InputError {
  return new InputError(`Another order for workspace ${id} is being sent.`, {
    code: "order_in_progress",
    status: 409,
    hint: "Repeat the order in a few seconds.",
  });
}
