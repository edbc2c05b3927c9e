import type { Database } from "@ngpu/db/pool";
import type { MeasuredValues, MeasurerResult } from "@ngpu/rewards/measurers";

type Row = {
  measurer_id: number;
  account: string;
  absent: boolean;
  median_absent: boolean;
  result: string[];
  median: string[];
};

const values = (prefix: string) =>
  ["down_mbps", "up_mbps", "ports_reachable", "disk_write_mibps"]
    .map((name) => `${prefix}_${name}::text`)
    .join(", ");

/** Results in the rounds that were finalized in blocks after `after`, up to `upTo`, with each round's median. */
export async function measurerResults(
  database: Database,
  { after, upTo }: { after: bigint; upTo: bigint },
): Promise<MeasurerResult[]> {
  const { rows } = await database.query<Row>(
    `select submitted.measurer_id::float8, coalesce(measurer.wallet, measurer.key) as account,
            submitted.result_absent as absent, finalized.median_absent,
            array[${values("submitted.result")}] as result, array[${values("finalized.median")}] as median
       from chain.event_measure_finalized as finalized
       join chain.event_measure_submitted as submitted using (round_id)
       join chain.measurer as measurer using (measurer_id)
      where finalized.block_number > $1 and finalized.block_number <= $2
      order by finalized.block_number, finalized.log_index, submitted.block_number, submitted.log_index`,
    [after, upTo],
  );
  return rows.map((row) => ({
    measurerId: row.measurer_id,
    account: row.account,
    result: row.absent ? null : valuesOf(row.result),
    median: row.median_absent ? null : valuesOf(row.median),
  }));
}

function valuesOf([down, up, ports, disk]: readonly string[]): MeasuredValues {
  const [downMbps, upMbps, portsReachable, diskWriteMibps] = [down, up, ports, disk].map((text) =>
    BigInt(text ?? 0),
  );
  return { downMbps, upMbps, portsReachable, diskWriteMibps } as MeasuredValues;
}
