import type { LineEnd } from "../store/batchLines.ts";

/** What came of a line's task. */
export type TaskOutcome = {
  /** The container's status; null: there was no whole response. */
  httpStatus: number | null;
  /** Why there is none. */
  error: { code: string; message: string; hint?: string } | null;
};

/** Times that a line is sent when it may have reached a container. */
const mostAttempts = 3;

/** No container got the task: it is sent again until the batch's time is over. */
const notTaken = ["replica_unavailable", "capacity_wait_ended", "queue_full"];
/** Errors after which another attempt may succeed. */
const temporary = [
  "task_interrupted",
  "replica_connection_lost",
  "replica_timeout",
  "response_cut",
  "gateway_unreachable",
  "node_disconnected",
];
/** Statuses with which a container asks to send the request again. */
const busy = [408, 425, 429, 500, 502, 503, 504];

/**
 * Whether a line has ended, or is sent again.
 *
 * @param attempts How often it was sent.
 */
export function outcomeOf(task: TaskOutcome, attempts: number): LineEnd | "again" {
  const { httpStatus, error } = task;
  if (httpStatus !== null) {
    if (httpStatus >= 200 && httpStatus < 300) return { outcome: "succeeded", error: undefined };
    const isLast = !busy.includes(httpStatus) || attempts >= mostAttempts;
    return isLast ? { outcome: "failed", error: undefined } : "again";
  }
  const reason = error ?? {
    code: "task_interrupted",
    message: "The task was not stored.",
    hint: "Send the request again.",
  };
  const { code } = reason;
  if (notTaken.includes(code)) return "again";
  if (temporary.includes(code) && attempts < mostAttempts) return "again";
  return { outcome: "failed", error: reason };
}
