import { placementExplanation } from "@ngpu/protocol/placement/request";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { explainWithModelNames } from "../explainWithModelNames.ts";
import { publication } from "../publicationSpec.ts";
import { newWorkspace } from "../schemas/newWorkspace.ts";
import { currentTime } from "../store/escrow.ts";
import { marketGpuNames } from "../store/market.ts";

export function matchRoutes({ db, match }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "post",
        path: "/v1/match/explain",
        tag: "Market",
        summary: "Explain where a workspace could be placed now",
        description:
          "Takes the body of `POST /v1/workspaces` and publishes nothing. Each rejected node is counted once, under the first " +
          "dimension that rejects it. `messages` describes the result in sentences.",
        access: "public",
        body: newWorkspace,
        answer: placementExplanation,
      },
      async ({ body }) => {
        const published = publication(body, await currentTime(db), await marketGpuNames(db));
        return explainWithModelNames({ db, match }, published, body);
      },
    ),
  ];
}
