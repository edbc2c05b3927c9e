import type { ChainView } from "./chainView.ts";
import { elapsed } from "./elapsed.ts";
import type { Journal } from "./journal/open.ts";
import { lastBySubject } from "./journal/outbox.ts";
import { readRuns } from "./journal/runs.ts";
import { readPublications } from "./journal/workspaces.ts";
import { type PublicationKey, publicationKey } from "./leases.ts";
import { planOf } from "./plans.ts";
import type {
  Container,
  Facts,
  FailedStart,
  Health,
  ImageState,
  Plan,
  SubmittedProgress,
  SubmittedReport,
} from "./reconcileFacts.ts";

/** The client's state in memory. A restart loses it; the client then observes it again. */
export type ObservedState = {
  images: Map<string, ImageState>;
  health: Map<string, Health>;
  containers: Container[];
  /** What the engine said when the container of a lease could not be created or started, by fenced key. */
  failedStarts: Map<string, FailedStart>;
  /** The users that images run as, by image id. */
  users: Map<string, Promise<string>>;
};

/** Milliseconds after which an image is inspected again: an operator may prune the engine's images. */
const imageRecheckInterval = 60_000;
/** Milliseconds after which an image that failed permanently is tried again. */
const permanentFailureMs = 300_000;

export function createObservedState(): ObservedState {
  return {
    images: new Map(),
    health: new Map(),
    containers: [],
    failedStarts: new Map(),
    users: new Map(),
  };
}

/** Collects everything that a decision depends on. */
export function collectFacts(options: {
  journal: Journal;
  observed: ObservedState;
  view: ChainView;
  containers: Container[];
  gpuUuids: readonly string[];
  sickGpuIds: ReadonlySet<string>;
  isExposed: boolean;
  startSeconds: number;
  lastContactAt: number;
  now: number;
}): Facts {
  const { journal, observed, containers } = options;
  const plans = new Map<PublicationKey, Plan>(
    [...readPublications(journal)].map(([key, publication]) => [key, planOf(publication)]),
  );
  const ids = new Set(containers.map((container) => container.id));
  for (const id of observed.health.keys()) if (!ids.has(id)) observed.health.delete(id);
  return {
    now: options.now,
    lastContactAt: options.lastContactAt,
    assignments: options.view.assignments,
    plans,
    containers,
    images: observed.images,
    runs: readRuns(journal),
    health: observed.health,
    reports: submittedReports(journal),
    progress: submittedProgress(journal),
    gpuUuids: options.gpuUuids,
    sickGpuIds: options.sickGpuIds,
    isExposed: options.isExposed,
    startSeconds: options.startSeconds,
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

/** Drops image states that may be outdated. @returns The time of the last recheck, in milliseconds. */
export function forgetStale(observed: ObservedState, state: { lastRecheckAt: number; now: number }): number {
  if (elapsed(state.now, state.lastRecheckAt) < imageRecheckInterval) return state.lastRecheckAt;
  for (const [reference, image] of observed.images) {
    const isStale =
      image.type === "present" || (image.permanent && elapsed(state.now, image.retryAt) > permanentFailureMs);
    if (isStale) observed.images.delete(reference);
  }
  return state.now;
}

function submittedReports(journal: Journal): Map<string, SubmittedReport> {
  const messages = lastBySubject(journal, "report");
  return new Map(
    [...messages].map(([subject, { message, status, createdAt, settledAt }]) => [
      subject,
      { state: message.state, detail: message.detail, status, at: createdAt, settledAt },
    ]),
  );
}

function submittedProgress(journal: Journal): Map<string, SubmittedProgress> {
  const messages = lastBySubject(journal, "progress");
  return new Map(
    [...messages].map(([subject, { message, status, createdAt, settledAt }]) => [
      subject,
      { milestone: message.milestone, status, at: createdAt, settledAt },
    ]),
  );
}
