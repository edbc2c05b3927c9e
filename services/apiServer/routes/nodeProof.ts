import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { createJudgedWaves } from "../judgedWaves.ts";
import { proofOf } from "../proofView.ts";
import { nodeIdText } from "../schemas/common.ts";
import { nodeProof } from "../schemas/nodeProof.ts";
import { findClaim } from "../store/market.ts";
import { requireNode } from "./nodeHistory.ts";

export function nodeProofRoutes(deps: ApiDeps): Endpoint[] {
  const waves = createJudgedWaves(deps);
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/nodes/:id/proof",
        tag: "Market",
        summary: "Show what a node claims about its hardware, and what waves proved",
        access: "public",
        params: z.object({ id: nodeIdText }),
        answer: nodeProof,
      },
      async ({ params: { id } }) => {
        const nodeId = await requireNode(deps.db, id);
        return proofOf(nodeId, await findClaim(deps.db, nodeId), await waves.forNode(nodeId));
      },
    ),
  ];
}
