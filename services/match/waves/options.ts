import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Sender } from "@ngpu/tx-sender/send";

export type WaveOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  /** Pays for what anyone may send: it needs no role. */
  sender: Sender;
  ports: { first: number; last: number };
};
