/** Directory of the stored compiled contracts, in the layout of Hardhat's artifacts. */
export const COMPILED: string;

/** True when the stored contracts were compiled from these sources, with these settings and packages. */
export function isCompiled(root: string): boolean;

/** The text of the manifest for the current sources. */
export function manifestOf(root: string): string;

/** The manifest's path in a checkout. */
export function manifestPath(root: string): string;
