import manifest from "../../package.json" with { type: "json" };

/** The release, as package.json has it; a bundler puts it into the bundle. */
export const version: string = manifest.version;
