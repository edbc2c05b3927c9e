import type { Peers } from "./peer.ts";

const published = (name: string, gasPerUnit: number) =>
  [{ name, gasPerUnit, source: "published" }] satisfies Peers[string];

// Figures published by others or measured on other chains, for contracts without an npm package.
const oneInch = "1inch's cumulative Merkle drop, 256-bit nodes, prefunded";
const akash = "Akash's design for the EVM (AEP-79): publish, bid and lease, estimated";
const livepeer = "Livepeer's reward(), a node a round, by its documentation (350,000 to 450,000)";

/** Published costs of peers' contracts, by our act's id. */
export const publishedPeers: Peers = {
  "publish-assign-start-50": published(akash, 480_000 + 350_000 + 700_000),
  "post-epoch-100k": [...published(oneInch, 0.3), ...published(livepeer, 350_000)],
  "claim-repeat": published(oneInch, 59_148),
  "claim-first-existing": published(oneInch, 76_228),
};
