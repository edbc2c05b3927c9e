import manifest from "../package.json" with { type: "json" };

/** The client's release, as package.json has it. */
export const version: string = manifest.version;
