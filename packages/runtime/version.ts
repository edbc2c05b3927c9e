import manifest from "../../package.json" with { type: "json" };

/** The release, from the root package.json. A bundler inlines it. */
export const version: string = manifest.version;
