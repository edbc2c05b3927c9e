import type { Problem } from "./problems.ts";
import type { World } from "./world.ts";

/** Checks one part of the machine. @returns The problems that it finds. */
export type Check = (world: World) => Promise<Problem[]> | Problem[];
