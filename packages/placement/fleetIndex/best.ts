import { firstRejection } from "../filters.ts";
import type { PlacementRequest, Strategy } from "../fleet.ts";
import { candidateOf, orderFor, seedOf, wantsImageFirst } from "../ranking.ts";
import { type Entries, entryOf } from "./entries.ts";
import { scoreColumn } from "./layout.ts";
import { searchAll, searchHolders } from "./search.ts";
import { beginSearch, type Search } from "./searchMemory.ts";

/** The nodes of an index, and the search over them. */
export type Searched = { entries: Entries; search: Search };

/** The best node that is none of those passed over; undefined when none fits. */
export function bestPassing(
  searched: Searched,
  request: PlacementRequest,
  strategy: Strategy,
  passed: Set<number>,
): number | undefined {
  const { entries } = searched;
  const own = entries.byWorkspace.get(request.workspaceId);
  if (request.replicas === "spread") {
    const found = bestWithout(searched, request, strategy, own, passed);
    if (found !== 0) return found;
    return own === undefined ? undefined : bestAmong(entries, own.keys(), request, strategy, passed);
  }
  const found = own === undefined ? undefined : bestAmong(entries, own.keys(), request, strategy, passed);
  return found ?? (bestWithout(searched, request, strategy, own, passed) || undefined);
}

/** The best of a few nodes by looking at each. */
function bestAmong(
  { all }: Entries,
  ids: Iterable<number>,
  request: PlacementRequest,
  strategy: Strategy,
  passed: Set<number>,
): number | undefined {
  const seed = seedOf(request.workspaceId);
  const order = orderFor(request, strategy);
  let best: ReturnType<typeof candidateOf> | undefined;
  for (const id of ids) {
    const entry = all[id];
    if (entry === undefined || passed.has(id) || firstRejection(entry, request) !== null) continue;
    const candidate = candidateOf(entry, request, strategy, seed);
    if (best === undefined || order(candidate, best) < 0) best = candidate;
  }
  return best?.nodeId;
}

/** The best of the nodes without a replica of the workspace; 0 when none fits. */
function bestWithout(
  { entries, search }: Searched,
  request: PlacementRequest,
  strategy: Strategy,
  own: Map<number, number> | undefined,
  passed: Set<number>,
): number {
  const admits = (id: number) =>
    own?.has(id) !== true &&
    !passed.has(id) &&
    !request.excluded.includes(id) &&
    // The column's price is rounded to 53 bits; only the exact one decides.
    entryOf(entries, id).pricePerSecond <= request.maxPricePerSecond;
  const column = scoreColumn(strategy.score);
  const sought = { request, column, seed: seedOf(request.workspaceId), admits };
  beginSearch(search, request);
  const imageOnly = request.imageAffinity === "require";
  const imageFirst = imageOnly || wantsImageFirst(request, strategy);
  const holders = imageFirst ? entries.images.get(request.image) : undefined;
  for (const measured of [true, false]) {
    const found =
      (holders === undefined ? 0 : searchHolders(search, sought, holders, measured)) ||
      (imageOnly ? 0 : searchAll(search, sought, measured));
    if (found !== 0) return found;
  }
  return 0;
}
