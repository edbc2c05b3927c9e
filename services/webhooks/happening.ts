import type { WebhookEventType } from "@ngpu/protocol/webhooks";

/** Something that happened to a wallet's task or workspace. */
export type Happening = {
  wallet: string;
  type: WebhookEventType;
  at: Date;
  data: Record<string, unknown>;
  /** What happened has one key. Null: it is read once. */
  sourceKey: string | null;
};
