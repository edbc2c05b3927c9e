import type { Schema } from "@ngpu/api-client/client";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";

const perRow = 60;
const size = 8;
const shown = 360;
const classes: Record<string, string> = { "1": "slot-1", "0": "slot-0" };

/** A node's presence, one square for each slot, in rows of an hour where a slot is a minute. */
export function Slots({ id }: { id: string }) {
  const query = useRoute(
    "GET /v1/nodes/{id}/slots",
    { path: { id }, query: { limit: shown } },
    { every: 10_000 },
  );
  return <Loaded query={query}>{(data) => <Drawn data={data} />}</Loaded>;
}

function Drawn({ data }: { data: Schema<"NodeSlots"> }) {
  const { t, format } = useSettings();
  const states = [...data.slots];
  if (states.length === 0) return <Empty>{t("market.presence.none")}</Empty>;
  const count = (state: string) => states.filter((one) => one === state).length;
  const rows = Math.ceil(states.length / perRow);
  const label = t("slots.label", {
    present: format.count(count("1")),
    absent: format.count(count("0")),
    unknown: format.count(count("-")),
  });
  const at = (index: number) => (data.firstSlot + index) * data.slotSeconds;
  return (
    <>
      <svg
        className="slots"
        viewBox={`0 0 ${perRow * size} ${rows * size}`}
        role="img"
        aria-label={label}
        preserveAspectRatio="xMidYMid meet"
      >
        {states.map((state, index) => (
          <rect
            key={at(index)}
            className={classes[state] ?? "slot-none"}
            x={(index % perRow) * size}
            y={Math.floor(index / perRow) * size}
            width={size - 1.5}
            height={size - 1.5}
            rx="1.2"
          >
            <title>{`${format.time(at(index))}: ${t(stateText(state))}`}</title>
          </rect>
        ))}
      </svg>
      <p className="legend">
        <Key name="slot-1" text={t("slots.present", { count: format.count(count("1")) })} />
        <Key name="slot-0" text={t("slots.absent", { count: format.count(count("0")) })} />
        <Key name="slot-none" text={t("slots.unknown", { count: format.count(count("-")) })} />
        <span>
          {t("market.presence.span", {
            from: format.time(at(0)),
            to: format.time(at(states.length)),
            seconds: data.slotSeconds,
          })}
        </span>
      </p>
    </>
  );
}

function stateText(state: string) {
  if (state === "1") return "slot.present" as const;
  return state === "0" ? ("slot.absent" as const) : ("slot.unknown" as const);
}

const Key = ({ name, text }: { name: string; text: string }) => (
  <span>
    <svg viewBox="0 0 9 9" aria-hidden="true">
      <rect className={name} width="9" height="9" rx="1.5" />
    </svg>
    {text}
  </span>
);
