/** Where compiled contracts are kept, in the layout of Hardhat's artifacts. */
export const COMPILED: string;

/** True when the kept contracts were compiled from these sources, with these settings and packages. */
export function isCompiled(root: string): boolean;

/** The text of the manifest that kept contracts have when they are those of the sources. */
export function manifestOf(root: string): string;

/** The manifest's path below a checkout. */
export function manifestPath(root: string): string;
