const seconds = [
  "PLACEMENT_PAUSE",
  "PLACEMENT_DEADLINE",
  "AVOID_REFUSED",
  "AVOID_REPLACED",
  ...["ACCEPT", "STALL", "DOWNLOAD", "READY", "START", "RETRY", "DELETE"].map((part) => `DEADLINE_${part}`),
  ...["PLACE", "DISTRIBUTE", "STOP", "RELEASE"].map((part) => `DEADLINE_${part}`),
];

/** Names that variables had, with those that they have in one program or another. A program that reads a new name rejects the old one. */
export const renamedVariables: Readonly<Record<string, string | readonly string[]>> = {
  SIGNER_KEY: ["POSTER_KEY", "RELAYER_KEY"],
  RECEIPTS_KEY: "ACKNOWLEDGER_KEY",
  RECEIPTS_SIGNER_KEY: "RECEIPTS_POSTER_KEY",
  WAVE: "WORKSPACE_REPLICAS",
  PREFETCH_WINDOW: "PREFETCH_WINDOW_BLOCKS",
  ...Object.fromEntries(seconds.map((name) => [name, `${name}_SECONDS`])),
};
