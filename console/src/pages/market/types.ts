import type { Schema } from "@ngpu/api-client/client";

export type Market = Schema<"Market">;
