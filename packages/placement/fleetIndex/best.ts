import { firstRejection } from "../filters.ts";
import type { PlacementRequest, Strategy } from "../fleet.ts";
import { candidateOf, orderFor, seedOf, wantsImageFirst } from "../ranking.ts";
import { type Entries, entryOf } from "./entries.ts";
import { scoreColumn } from "./layout.ts";
import { searchAll, searchHolders } from "./search.ts";
import { beginSearch, type Search } from "./searchMemory.ts";

/** The nodes of an index, and the search over them. */
export type Searched = { entries: Entries; search: Search };

/** The best node that is not in `skipped`; undefined when none fits. */
export function bestExcept(
  searched: Searched,
  request: PlacementRequest,
  strategy: Strategy,
  skipped: Set<number>,
): number | undefined {
  const { entries } = searched;
  const own = entries.byWorkspace.get(request.workspaceId);
  if (request.replicas === "spread") {
    const found = bestWithout(searched, request, strategy, own, skipped);
    if (found !== 0) return found;
    return own === undefined ? undefined : bestAmong(entries, own.keys(), request, strategy, skipped);
  }
  const found = own === undefined ? undefined : bestAmong(entries, own.keys(), request, strategy, skipped);
  return found ?? (bestWithout(searched, request, strategy, own, skipped) || undefined);
}

/** The best of a few nodes, found by trying each. */
function bestAmong(
  { all }: Entries,
  ids: Iterable<number>,
  request: PlacementRequest,
  strategy: Strategy,
  skipped: Set<number>,
): number | undefined {
  const seed = seedOf(request.workspaceId);
  const order = orderFor(request, strategy);
  let best: ReturnType<typeof candidateOf> | undefined;
  for (const id of ids) {
    const entry = all[id];
    if (entry === undefined || skipped.has(id) || firstRejection(entry, request) !== null) continue;
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
  skipped: Set<number>,
): number {
  const admits = (id: number) =>
    own?.has(id) !== true &&
    !skipped.has(id) &&
    !request.excluded.includes(id) &&
    // The price in the column is rounded to 53 bits; the exact price decides.
    entryOf(entries, id).pricePerSecond <= request.maxPricePerSecond;
  const column = scoreColumn(strategy.score);
  const query = { request, column, seed: seedOf(request.workspaceId), admits };
  beginSearch(search, request);
  const imageOnly = request.imageAffinity === "require";
  const imageFirst = imageOnly || wantsImageFirst(request, strategy);
  const holders = imageFirst ? entries.images.get(request.image) : undefined;
  for (const measured of [true, false]) {
    const found =
      (holders === undefined ? 0 : searchHolders(search, query, holders, measured)) ||
      (imageOnly ? 0 : searchAll(search, query, measured));
    if (found !== 0) return found;
  }
  return 0;
}
