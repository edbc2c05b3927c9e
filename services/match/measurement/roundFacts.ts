import type { Hex } from "viem";

export type NewRound = {
  /** Merkle root over the draws: the commitment in the request. */
  draws: Hex;
  node_id: number;
  host: string;
  /** The first of `ports`, at which the node reports its probe as ready. */
  port: number;
  /** The port of each draw: distinct ones as far as there are enough. */
  ports: number[];
  token: string;
  salts: Hex[];
};

export type NewDraw = { position: number; measurer_id: number; failure: string | null };

/** An online node with a session, and the state of its measurements. Times are Unix seconds. */
export type MeasurableNode = {
  node_id: number;
  /** Host at which the node is reachable. */
  host: string;
  /** End of the last measurement's validity; null: no measurement. */
  valid_until: number | null;
  /** A round of the node is in progress. */
  open: boolean;
  /** Failed rounds since the last measurement, and the end of the latest of them. */
  failures: number;
  failed_at: number | null;
  /** Number of all rounds of the node. */
  rounds: number;
};

export type MeasurerSession = { measurer_id: number; owner: string };

export type RoundToDraw = {
  round_id: bigint;
  draws: Hex;
  salts: Hex[];
  opens_at: number;
  key: string;
  owner: string;
};
