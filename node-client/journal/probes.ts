import type { Journal } from "./open.ts";

/** A probe that match requested for a measurement round. */
export type ProbeOrder = {
  roundId: bigint;
  /** The first of `ports`, by which the round is reported. */
  port: number;
  /** Ports of this machine at which the probe's server listens. */
  ports: readonly number[];
  token: string;
  image: string;
  /** Unix seconds. */
  closesAt: number;
};

export function putProbe(journal: Journal, order: ProbeOrder): void {
  journal
    .prepare("insert or replace into probe (round_id, port, token, image, closes_at) values (?, ?, ?, ?, ?)")
    .run(String(order.roundId), order.port, order.token, order.image, order.closesAt);
  journal
    .prepare("insert or replace into probe_ports (round_id, ports) values (?, ?)")
    .run(String(order.roundId), JSON.stringify(order.ports));
}

export function dropProbe(journal: Journal, roundId: bigint): void {
  journal.prepare("delete from probe where round_id = ?").run(String(roundId));
  journal.prepare("delete from probe_ports where round_id = ?").run(String(roundId));
}

export function readProbes(journal: Journal): ProbeOrder[] {
  return journal
    .prepare("select probe.*, ports from probe left join probe_ports using (round_id) order by closes_at")
    .all()
    .map((row) => ({
      roundId: BigInt(String(row.round_id)),
      port: Number(row.port),
      ports: row.ports === null ? [Number(row.port)] : (JSON.parse(String(row.ports)) as number[]),
      token: String(row.token),
      image: String(row.image),
      closesAt: Number(row.closes_at),
    }));
}
