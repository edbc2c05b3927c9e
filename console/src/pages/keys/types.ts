import type { ResultOf } from "@ngpu/api-client/routes";

export type Key = ResultOf<"GET /v1/keys">["keys"][number];
