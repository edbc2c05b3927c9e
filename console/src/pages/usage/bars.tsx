import { tokens } from "../../format.ts";
import { barsOf, type Entry } from "./sums.ts";

const width = 8;
const gap = 2;
const height = 80;

/** The cost of each hour or day as a bar. The table below says the same in figures. */
export function Bars({
  entries,
  by,
  label,
}: {
  entries: readonly Entry[];
  by: "day" | "hour";
  label: string;
}) {
  const bars = barsOf(entries, by);
  return (
    <svg
      className="bars"
      role="img"
      aria-label={label}
      viewBox={`0 0 ${bars.length * (width + gap)} ${height}`}
      preserveAspectRatio="none"
    >
      {bars.map(({ group, share, cost }, index) => (
        <rect
          key={group}
          className={cost === 0n ? "none" : "fill"}
          x={index * (width + gap)}
          y={height - Math.max(1, share * height)}
          width={width}
          height={Math.max(1, share * height)}
        >
          <title>{`${group}: ${tokens(cost, 6)} NGPU`}</title>
        </rect>
      ))}
    </svg>
  );
}
