/** Cost of an act elsewhere; `published` figures are from others and not measured here. */
export type Peer = { name: string; gasPerUnit: number; source: "measured" | "published" };

/** Peers by the id of our act. */
export type Peers = Record<string, Peer[]>;
