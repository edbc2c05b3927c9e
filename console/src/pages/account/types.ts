import type { ResultOf } from "@ngpu/api-client/routes";

export type Account = ResultOf<"GET /v1/account">;
