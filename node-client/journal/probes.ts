import type { Journal } from "./open.ts";

/** A probe that match requested for a measurement round. */
export type ProbeOrder = {
  roundId: bigint;
  port: number;
  token: string;
  image: string;
  /** Unix seconds. */
  closesAt: number;
};

export function putProbe(journal: Journal, order: ProbeOrder): void {
  journal
    .prepare("insert or replace into probe (round_id, port, token, image, closes_at) values (?, ?, ?, ?, ?)")
    .run(String(order.roundId), order.port, order.token, order.image, order.closesAt);
}

export function dropProbe(journal: Journal, roundId: bigint): void {
  journal.prepare("delete from probe where round_id = ?").run(String(roundId));
}

export function readProbes(journal: Journal): ProbeOrder[] {
  return journal
    .prepare("select * from probe order by closes_at")
    .all()
    .map((row) => ({
      roundId: BigInt(String(row.round_id)),
      port: Number(row.port),
      token: String(row.token),
      image: String(row.image),
      closesAt: Number(row.closes_at),
    }));
}
