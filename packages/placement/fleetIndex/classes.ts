import { acceptsModel } from "../filters.ts";
import type { FleetNode, PlacementRequest } from "../fleet.ts";

/** Nodes with equal values in all fields that no reservation, price change or measured rate affects. */
export type NodeClass = Pick<
  FleetNode,
  "status" | "gpuModel" | "vramMib" | "computeCapability" | "region" | "measured"
> & { key: string; number: number; size: number };

/** The classes of a fleet by number, and those of online nodes by GPU model and region. */
export type Classes = {
  all: NodeClass[];
  byKey: Map<string, NodeClass>;
  vramMib: Float64Array;
  computeCapability: Float64Array;
  /** Classes of online nodes by GPU model and region; null: any. A cache, cleared when a class is added or removed. */
  kinds: Map<string | null, Map<string | null, Kind>>;
  freed: number[];
};

/** Numbers of the classes of measured and of unmeasured nodes. */
export type Kind = { measured: Int32Array; unmeasured: Int32Array };

export function createClasses(): Classes {
  return {
    all: [],
    byKey: new Map(),
    kinds: new Map(),
    freed: [],
    vramMib: new Float64Array(64),
    computeCapability: new Float64Array(64),
  };
}

export function classKey(node: FleetNode): string {
  const { status, gpuModel, vramMib, computeCapability, region, measured } = node;
  return `${status}|${gpuModel}|${vramMib}|${computeCapability}|${region}|${measured}`;
}

/** The class of a node; created if it does not exist. */
export function classOf(classes: Classes, key: string, node: FleetNode): NodeClass {
  const known = classes.byKey.get(key);
  if (known !== undefined) return known;
  const { status, gpuModel, vramMib, computeCapability, region, measured } = node;
  const number = classes.freed.pop() ?? classes.all.length;
  const fresh = {
    key,
    number,
    size: 0,
    status,
    gpuModel,
    vramMib,
    computeCapability,
    region,
    measured,
  };
  classes.all[number] = fresh;
  classes.byKey.set(key, fresh);
  if (number >= classes.vramMib.length) {
    classes.vramMib = doubled(classes.vramMib);
    classes.computeCapability = doubled(classes.computeCapability);
  }
  classes.vramMib[number] = vramMib;
  classes.computeCapability[number] = computeCapability;
  classes.kinds.clear();
  return fresh;
}

/** Removes a class without nodes. Its number is reused. */
export function dropClass(classes: Classes, { key, number }: NodeClass): void {
  classes.byKey.delete(key);
  classes.freed.push(number);
  classes.kinds.clear();
}

/** The classes of online nodes with a request's GPU model and region. */
export function kindOf(classes: Classes, request: PlacementRequest): Kind {
  const { gpuModel, region } = request;
  // Not cached: requests may name any number of different lists.
  if (request.gpuModels !== undefined) return kindAmong(classes, request);
  let byRegion = classes.kinds.get(gpuModel);
  if (byRegion === undefined) {
    byRegion = new Map();
    classes.kinds.set(gpuModel, byRegion);
  }
  let kind = byRegion.get(region);
  if (kind === undefined) {
    kind = kindAmong(classes, request);
    // Empty results are not cached: requests may name any number of unknown models and regions.
    if (kind.measured.length + kind.unmeasured.length > 0) byRegion.set(region, kind);
    else if (byRegion.size === 0) classes.kinds.delete(gpuModel);
  }
  return kind;
}

function kindAmong(classes: Classes, request: PlacementRequest): Kind {
  const { region } = request;
  const own = [...classes.byKey.values()].filter(
    (one) =>
      one.status === "online" &&
      acceptsModel(request, one.gpuModel) &&
      (region === null || one.region === region),
  );
  const numbers = (measured: boolean) =>
    Int32Array.from(own.filter((one) => one.measured === measured).map((one) => one.number));
  return { measured: numbers(true), unmeasured: numbers(false) };
}

function doubled(from: Float64Array): Float64Array {
  const to = new Float64Array(from.length * 2);
  to.set(from);
  return to;
}
