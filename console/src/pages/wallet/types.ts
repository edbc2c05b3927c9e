import type { Schema } from "@ngpu/api-client/client";

export type RewardState = Schema<"Reward">;
