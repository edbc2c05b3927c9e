import { placementExplanation } from "@ngpu/protocol/placement/question";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { explained } from "../explained.ts";
import { newWorkspace } from "../schemas/workspaces.ts";
import { publication } from "../spec.ts";
import { currentTime } from "../store/escrow.ts";

export function matchRoutes({ db, match }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "post",
        path: "/v1/match/explain",
        tag: "Market",
        summary: "Ask where a workspace could go now, and why not elsewhere",
        description:
          "Takes what `POST /v1/workspaces` takes and publishes nothing. Every refused node is counted once, under the first " +
          "dimension that refuses it; `words` says the same in sentences.",
        access: "public",
        body: newWorkspace,
        answer: placementExplanation,
      },
      async ({ body }) => {
        const { spec } = publication(body, await currentTime(db));
        return explained({ db, match }, spec, body);
      },
    ),
  ];
}
