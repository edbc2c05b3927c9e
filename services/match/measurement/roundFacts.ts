import type { Hex } from "viem";

export type NewRound = {
  /** Root over the draws: what is told beforehand. */
  draws: Hex;
  node_id: number;
  host: string;
  port: number;
  token: string;
  salts: Hex[];
};

export type NewDraw = { position: number; measurer_id: number; failure: string | null };

/** A node online with a session, and where its measurements stand. Times are Unix seconds. */
export type MeasurableNode = {
  node_id: number;
  /** Under which it is reached. */
  host: string;
  /** Its last measurement is valid until then; null: none. */
  valid_until: number | null;
  /** A round of it is under way. */
  open: boolean;
  /** Rounds since the last measurement that came to nothing, and when the last of them ended. */
  failures: number;
  failed_at: number | null;
  /** All rounds there ever were. */
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
