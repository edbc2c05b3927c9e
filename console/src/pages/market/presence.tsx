import { useSettings } from "../../app/settings.tsx";
import { Empty } from "../../ui/notices.tsx";
import type { Market } from "./types.ts";

const height = 96;

/** The share of nodes that were present in each slot, one bar for each. */
export function Presence({ market: { presence, periods } }: { market: Market }) {
  const { t, format } = useSettings();
  const last = presence.at(-1);
  const first = presence[0];
  if (first === undefined || last === undefined) return <Empty>{t("market.presence.none")}</Empty>;
  const listed = presence.reduce((sum, slot) => sum + slot.listed, 0);
  const present = presence.reduce((sum, slot) => sum + slot.present, 0);
  const share = format.percent(listed === 0 ? 0 : present / listed);
  const count = last.slot - first.slot + 1;
  return (
    <>
      <svg
        className="slots"
        viewBox={`0 0 ${count * 5} ${height}`}
        height={height}
        preserveAspectRatio="none"
        role="img"
        aria-label={t("market.presence.share", { share, count: presence.length })}
      >
        {presence.map((slot) => {
          const x = (slot.slot - first.slot) * 5;
          const up = slot.listed === 0 ? 0 : (slot.present / slot.listed) * height;
          return (
            <g key={slot.slot}>
              <rect className="slot-none" x={x} width="4" y="0" height={height} />
              <rect
                className={slot.present < slot.listed ? "slot-0" : "slot-none"}
                x={x}
                width="4"
                y="0"
                height={height - up}
              />
              <rect className="slot-1" x={x} width="4" y={height - up} height={up} />
            </g>
          );
        })}
      </svg>
      <p className="legend">
        <span>{t("market.presence.share", { share, count: presence.length })}</span>
        <span>
          {t("market.presence.span", {
            from: format.clock(first.startsAt),
            to: format.clock(last.startsAt + periods.slotSeconds),
            seconds: periods.slotSeconds,
          })}
        </span>
      </p>
    </>
  );
}
