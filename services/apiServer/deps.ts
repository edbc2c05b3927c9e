import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { WebhookSecrets } from "@ngpu/protocol/webhooks";
import type { Logger } from "@ngpu/runtime/logger";
import type { Address } from "viem";
import type { Writer } from "./chainWriter.ts";
import type { ChangeFeed } from "./changeFeed.ts";
import type { Faucet } from "./faucet.ts";
import type { Contents } from "./files/contents.ts";
import type { Gateway } from "./gatewayClient.ts";
import type { HotFacts } from "./hotFacts.ts";
import type { MatchClient } from "./matchClient.ts";
import type { SecretVault } from "./secretVault.ts";
import type { TaskRunner } from "./taskRunner.ts";
import type { Template } from "./templates.ts";
import type { WorkspaceOrders } from "./workspaceOrders.ts";

/** Dependencies of the routes. */
export type ApiDeps = {
  db: Database;
  writer: Writer;
  orders: WorkspaceOrders;
  /** The account this API sends transactions from; partners authorize it. */
  delegate: Address;
  /** For reads that Postgres cannot serve: permit nonces, signatures of contract wallets. */
  chain: ChainClient;
  deployment: Deployment;
  publicUrl: string;
  network: { rpcUrls: string[]; matchUrls: string[]; gatewayUrls: string[]; probeImage: string };
  gateway: Gateway;
  match: MatchClient;
  tasks: TaskRunner;
  /** What calls of tasks read. */
  hot: HotFacts;
  /** Wakes streams of events. */
  changes: ChangeFeed;
  /** Secrets of the signatures of webhooks. */
  webhookSecrets: WebhookSecrets;
  /** Encrypts the secrets of workspaces. */
  vault: SecretVault;
  /** Files of accounts. */
  contents: Contents;
  /** Workspaces that anyone can publish with one call. */
  templates: readonly Template[];
  /** Registries and webhooks may be at addresses that are not public. */
  privateAddresses: boolean;
  /** Only on a market with test tokens. */
  faucet?: Faucet;
  logger: Logger;
};

export const apiVersion = "1";
