import { InputError, messageOf, NgpuError } from "@ngpu/runtime/errors";
import type { TaskEnd } from "./store/tasks.ts";
import { TaskError } from "./taskResult.ts";

/** The end of a task whose container answered completely. */
export function endOf(httpStatus: number): Pick<TaskEnd, "status" | "httpStatus" | "error"> {
  if (httpStatus >= 200 && httpStatus < 300) return { status: "succeeded", httpStatus, error: undefined };
  return { status: "failed", httpStatus, error: containerError(httpStatus) };
}

/** The error of a task whose container answered with another status than 2xx. */
function containerError(httpStatus: number): TaskError {
  return new TaskError(`The container answered ${httpStatus}.`, {
    code: "container_error",
    hint: "Check the request against what the workspace's program accepts; result holds its response.",
    retryable: false,
  });
}

/** Errors that the partner caused. */
const endedByPartner = ["client_disconnected", "task_cancelled"];

/** The end of a task without a complete response. */
export function failureEnd(failure: NgpuError): Omit<TaskEnd, "durationMs"> {
  return {
    status: endedByPartner.includes(failure.code) ? "aborted" : "failed",
    served: undefined,
    httpStatus: undefined,
    result: undefined,
    error: failure,
  };
}

type ErrorFacts = {
  disconnected: AbortSignal;
  stopping: AbortSignal;
  /** Whether the container's response had begun. */
  hasBegun: boolean;
  isCancelled: boolean;
};

/** Translates an error into the one that the partner sees and the task records. */
export function taskError(error: unknown, facts: ErrorFacts): NgpuError {
  const { disconnected, stopping, hasBegun, isCancelled } = facts;
  if (isCancelled)
    return new InputError("The task was cancelled.", {
      code: "task_cancelled",
      hint: "Send it again if you need its result.",
      status: 409,
    });
  if (stopping.aborted)
    return new TaskError("The server stopped before the task ended.", {
      code: "task_interrupted",
      hint: "Send the task again. It may have run.",
      retryable: true,
    });
  if (disconnected.aborted)
    return new TaskError("The client disconnected before the response.", {
      code: "client_disconnected",
      hint: "Keep the connection open until the response ends, or run the task in the background.",
      retryable: false,
    });
  if (error instanceof NgpuError) return error;
  if (hasBegun) {
    return new InputError("The container's response broke off before its end.", {
      code: "response_cut",
      status: 502,
      hint: "See the workspace's logs. Send the task again if it is safe to run twice.",
      cause: error,
    });
  }
  return new TaskError(`The response was interrupted: ${messageOf(error)}`, {
    code: "replica_connection_lost",
    hint: "The task may have run. Send it again if it is safe to run twice.",
    retryable: true,
  });
}
