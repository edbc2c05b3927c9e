import { randomUUID } from "node:crypto";
import type { AbiName, Abis } from "@ngpu/contracts-sdk/abis";
import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
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
   * @throws InputError `order_in_progress` (409); what `send` throws.
   */
  run<Result>(workspaceId: string, send: (order: OrderSender) => Promise<Result>): Promise<Result>;
};

/** @param deps.runner Number of this process, whose advisory lock it holds until it ends. */
export function createWorkspaceOrders(deps: {
  db: Database;
  writer: Writer;
  runner: bigint;
  logger: Logger;
}): WorkspaceOrders {
  const { db, writer, runner, logger } = deps;
  const active = new Set<string>();
  return {
    async run(workspaceId, send) {
      const claim = randomUUID();
      active.add(claim);
      try {
        const claimed = await claimOrder(db, workspaceId, { claim, runner, active });
        if (claimed === null) throw inProgress(workspaceId);
        const { previousKey } = claimed;
        if (previousKey !== null) await settlePrevious({ db, writer }, workspaceId, previousKey);
        return await send(senderOf({ db, writer }, workspaceId, claim));
      } finally {
        active.delete(claim);
        // The next order takes over a claim that is not released.
        await releaseOrder(db, workspaceId, claim).catch((error: unknown) =>
          logger.warn({ event: "order_release_failed", workspaceId, error }),
        );
      }
    },
  };
}

/** Waits until the previous order is mined and exported. */
async function settlePrevious(
  { db, writer }: { db: Database; writer: Writer },
  workspaceId: string,
  key: string,
): Promise<void> {
  const fate = await fateOf(db, key);
  if (fate.status === "none") return;
  const block = fate.status === "mined" ? fate.block : await writer.settled(key);
  if (block === undefined || !(await writer.exported(block))) throw inProgress(workspaceId);
}

function senderOf(
  { db, writer }: { db: Database; writer: Writer },
  workspaceId: string,
  claim: string,
): OrderSender {
  let sent = 0;
  return {
    async write(request) {
      const dedupeKey = `order:${claim}:${sent++}`;
      await recordOrderKey(db, workspaceId, dedupeKey);
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
