import type { ForwardedHeaders } from "@ngpu/runtime/hopHeaders";
import type { NewTask } from "./store/tasks.ts";

/** A task to run. */
export type TaskWork = Omit<NewTask, "runner"> & {
  /** Id of the request that created it. */
  requestId: string;
  /** Bytes of an input that is read from Postgres once a replica takes it; undefined: it is in memory, or there is none. */
  storedBytes?: number | undefined;
  /** Further headers for the container. */
  headers?: ForwardedHeaders;
  /** Longest time without a byte, and in all, in seconds. */
  timeouts: { progress: number; total: number };
  /** Seconds that it waits for a replica when none can take it; undefined: it is refused. For tasks that do not wait from their beginning. */
  coldStartSeconds?: number | undefined;
  /** The key whose spending its cost is added to; undefined: it has no limit. */
  budgetKeyId: string | undefined;
};
