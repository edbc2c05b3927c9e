import type { Container, Facts, Health, ImageState, Plan, SaidProgress, SaidReport } from "./facts.ts";
import type { Journal } from "./journal/open.ts";
import { lastBySubject } from "./journal/outbox.ts";
import { readRuns } from "./journal/runs.ts";
import { readPublications } from "./journal/workspaces.ts";
import { type PublicationKey, publicationKey } from "./leases.ts";
import { planOf } from "./plans.ts";
import type { ChainView } from "./view.ts";

/** What the client knows beside the journal and the engine; lost at a restart and found out again. */
export type Memory = {
  images: Map<string, ImageState>;
  health: Map<string, Health>;
  containers: Container[];
};

/** Milliseconds after which an image is looked for again: an operator may prune the engine's images. */
const imageLookInterval = 60_000;
const hopelessPause = 300_000;

export function createMemory(): Memory {
  return { images: new Map(), health: new Map(), containers: [] };
}

/** Puts together everything that a decision depends on. */
export function gatherFacts(options: {
  journal: Journal;
  memory: Memory;
  view: ChainView;
  containers: Container[];
  gpuUuids: readonly string[];
  lastSight: number;
  now: number;
}): Facts {
  const { journal, memory, containers } = options;
  const plans = new Map<PublicationKey, Plan>(
    [...readPublications(journal)].map(([key, publication]) => [key, planOf(publication)]),
  );
  const ids = new Set(containers.map((container) => container.id));
  for (const id of memory.health.keys()) if (!ids.has(id)) memory.health.delete(id);
  return {
    now: options.now,
    lastSight: options.lastSight,
    assignments: options.view.assignments,
    plans,
    containers,
    images: memory.images,
    runs: readRuns(journal),
    health: memory.health,
    reports: saidReports(journal),
    progress: saidProgress(journal),
    gpuUuids: options.gpuUuids,
  };
}

/** References of the images that live leases use. */
export function imagesInUse(journal: Journal, view: ChainView): Set<string> {
  const publications = readPublications(journal);
  const references = view.assignments.flatMap((lease) => {
    const publication = lease.ended ? undefined : publications.get(publicationKey(lease));
    const plan = publication === undefined ? undefined : planOf(publication);
    return plan?.type === "runnable" ? [plan.reference] : [];
  });
  return new Set(references);
}

/** Forgets what may have changed behind our back. */
export function forgetStale(memory: Memory, state: { lastLook: number; now: number }): number {
  if (state.now - state.lastLook < imageLookInterval) return state.lastLook;
  for (const [reference, image] of memory.images) {
    const isOver = image.type === "present" || (image.hopeless && state.now - image.retryAt > hopelessPause);
    if (isOver) memory.images.delete(reference);
  }
  return state.now;
}

function saidReports(journal: Journal): Map<string, SaidReport> {
  const said = lastBySubject(journal, "report");
  return new Map(
    [...said].map(([subject, { message, status, createdAt, settledAt }]) => [
      subject,
      { state: message.state, detail: message.detail, status, at: createdAt, settledAt },
    ]),
  );
}

function saidProgress(journal: Journal): Map<string, SaidProgress> {
  const said = lastBySubject(journal, "progress");
  return new Map(
    [...said].map(([subject, { message, status, createdAt, settledAt }]) => [
      subject,
      { milestone: message.milestone, status, at: createdAt, settledAt },
    ]),
  );
}
