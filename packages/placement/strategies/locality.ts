import type { Strategy } from "../fleet.ts";
import { cheapest } from "./cheapest.ts";

/** Nodes that have the image first, then the lowest price. */
export const locality: Strategy = { score: cheapest.score, imageFirst: true };
