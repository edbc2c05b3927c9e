/** What an act costs elsewhere; `published` figures are other people's and were not measured here. */
export type Peer = { name: string; gasPerUnit: number; source: "measured" | "published" };

/** Peers by the id of our act. */
export type Peers = Record<string, Peer[]>;
