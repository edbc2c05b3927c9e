import type { Schema } from "@ngpu/api-client/client";

export type Workspace = Schema<"Workspace">;
