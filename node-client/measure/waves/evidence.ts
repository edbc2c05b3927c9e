import { InputError } from "@ngpu/runtime/errors";
import { errorHandler } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { Evidence } from "@ngpu/waves/evidence";
import type { DeviceRef } from "@ngpu/waves/types";
import type { Express } from "express";
import type { Journal } from "../../journal/open.ts";
import { readWaveProgress } from "../../journal/waves.ts";
import { batchesOf } from "./book.ts";
import type { Transcripts } from "./transcripts.ts";

type Sources = { journal: Journal; transcripts: Transcripts };

/** What shows a device's answer, as `verify wave --evidence` reads it; undefined where this measurer has none. */
export function evidenceOf(
  { journal, transcripts }: Sources,
  waveId: number,
  { nodeId, device }: DeviceRef,
): (Evidence & { waveId: number }) | undefined {
  const { state, committed } = readWaveProgress(journal, waveId);
  const isOwn = (one: DeviceRef) => one.nodeId === nodeId && one.device === device;
  const answer = state?.book.find(isOwn)?.answer;
  const hash = committed?.transcripts.find(isOwn)?.hash;
  const transcript = hash === undefined ? undefined : transcripts.get(hash);
  if (state === undefined || committed === undefined || answer === undefined || transcript === undefined)
    return;
  const trees = batchesOf(state.book);
  const { measurerId } = committed.reveal;
  const placed = (tree: typeof trees.chase) => ({ measurerId, path: tree.pathOf({ nodeId, device }) ?? [] });
  return {
    waveId,
    nodeId,
    device,
    result: { ...answer, transcript },
    chase: placed(trees.chase),
    answers: placed(trees.answers),
  };
}

/**
 * Serves the evidence of this measurer's last waves: anyone checks it against the chain.
 *
 * @throws InputError `evidence_not_found` in the handler
 */
export function serveEvidence(app: Express, sources: Sources, logger: Logger): void {
  app.get("/v1/waves/:wave/:node/:device", (request, response) => {
    const { wave, node, device } = request.params;
    const [waveId, nodeId, place] = [wave, node, device].map((text) =>
      /^\d{1,10}$/.test(text) ? Number(text) : -1,
    );
    const ref = { nodeId: nodeId ?? -1, device: place ?? -1 };
    const found = evidenceOf(sources, waveId ?? -1, ref);
    if (found === undefined)
      throw new InputError(
        `This measurer has no evidence of device ${device} of node ${node} in wave ${wave}.`,
        {
          code: "evidence_not_found",
          hint: "Ask another measurer that the wave drew: evidence is kept for two days.",
          status: 404,
        },
      );
    const { result, ...placed } = found;
    const transcript = Buffer.from(result.transcript).toString("base64");
    response.json({ ...placed, result: { ...result, transcript } });
  });
  app.use(errorHandler(logger));
}
