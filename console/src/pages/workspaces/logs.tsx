import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { download } from "../../ui/download.ts";
import { Button, Field } from "../../ui/form.tsx";
import { Empty, ErrorNotice } from "../../ui/notices.tsx";
import { type LogEntry, logFeedOf } from "./logFeed.ts";
import { ReplicaField } from "./replicaField.tsx";
import type { Workspace } from "./types.ts";

const lineHeight = 20;
const streams = ["both", "stdout", "stderr"] as const;
type Stream = (typeof streams)[number];

/** What the container of a replica writes, as it writes it. */
export function Logs({ workspace }: { workspace: Workspace }) {
  const { t, format } = useSettings();
  const { api } = useSession();
  const [replica, setReplica] = useState(0);
  const [search, setSearch] = useState("");
  const [stream, setStream] = useState<Stream>("both");
  const [follows, setFollows] = useState(true);
  const feed = useMemo(() => logFeedOf(api, workspace.id, replica), [api, workspace.id, replica]);
  const { entries, dropped, error } = useSyncExternalStore(feed.subscribe, feed.read);
  const shown = useMemo(() => filtered(entries, search, stream), [entries, search, stream]);
  const save = () =>
    download(`workspace-${workspace.id}-${replica}.log`, `${shown.map(lineOf).join("\n")}\n`);
  return (
    <div className="stack">
      <div className="fields">
        <ReplicaField workspace={workspace} replica={replica} onChange={setReplica} />
        <Field label={t("logs.search")}>
          {(control) => (
            <input
              {...control}
              type="search"
              value={search}
              onChange={(event) => setSearch(event.target.value)}
            />
          )}
        </Field>
        <Field label={t("logs.stream")}>
          {(control) => (
            <select {...control} value={stream} onChange={(event) => setStream(event.target.value as Stream)}>
              {streams.map((one) => (
                <option key={one} value={one}>
                  {t(`logs.stream.${one}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <div className="row">
        <Button aria-pressed={follows} onClick={() => setFollows(!follows)}>
          {t(follows ? "logs.following" : "logs.follow")}
        </Button>
        <Button disabled={shown.length === 0} onClick={save}>
          {t("logs.download")}
        </Button>
        <span className="muted" role="status">
          {t("logs.count", { shown: format.count(shown.length), all: format.count(entries.length) })}
          {dropped === 0 ? "" : ` ${t("logs.dropped", { count: format.count(dropped) })}`}
        </span>
      </div>
      <ErrorNotice error={error} />
      {shown.length === 0 ? (
        <Empty>{t(entries.length === 0 ? "logs.none" : "logs.noMatch")}</Empty>
      ) : (
        <Lines entries={shown} search={search} follows={follows} onLeave={() => setFollows(false)} />
      )}
    </div>
  );
}

function Lines(given: {
  entries: readonly LogEntry[];
  search: string;
  follows: boolean;
  onLeave: () => void;
}) {
  const { t, format } = useSettings();
  const { entries, follows, search } = given;
  const area = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: entries.length,
    getScrollElement: () => area.current,
    estimateSize: () => lineHeight,
    overscan: 12,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: each further line is shown.
  useEffect(() => {
    if (follows) area.current?.scrollTo({ top: area.current.scrollHeight });
  }, [follows, entries.length]);
  return (
    <section
      className="log"
      ref={area}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is scrolled by keys.
      tabIndex={0}
      aria-label={t("workspace.part.logs")}
      onWheel={({ deltaY }) => (deltaY < 0 ? given.onLeave() : undefined)}
      onKeyDown={({ key }) => (/^(ArrowUp|PageUp|Home)$/.test(key) ? given.onLeave() : undefined)}
    >
      <ol style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const entry = entries[index];
          if (entry === undefined) return null;
          return (
            <li
              key={entry.cursor}
              className={"gap" in entry ? "gap" : entry.stream}
              style={{ transform: `translateY(${start}px)` }}
            >
              {"gap" in entry ? (
                <span className="muted">{t(`logs.gap.${entry.gap.reason}`)}</span>
              ) : (
                <>
                  <time dateTime={entry.time}>{format.clock(entry.time)}</time>
                  <Marked text={textOf(entry)} search={search} />
                </>
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

/** A text with what was searched for marked. */
function Marked({ text, search }: { text: string; search: string }) {
  const at = search === "" ? -1 : text.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return <span>{text}</span>;
  const end = at + search.length;
  return (
    <span>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </span>
  );
}

type Line = Extract<LogEntry, { time: string }>;

const textOf = ({ text, base64 }: Line) => text ?? base64 ?? "";

function lineOf(entry: LogEntry): string {
  return "gap" in entry ? `--- ${entry.gap.reason} ---` : `${entry.time} ${entry.stream} ${textOf(entry)}`;
}

function filtered(entries: readonly LogEntry[], search: string, stream: Stream): readonly LogEntry[] {
  if (search === "" && stream === "both") return entries;
  const wanted = search.toLowerCase();
  return entries.filter(
    (entry) =>
      !("gap" in entry) &&
      (stream === "both" || entry.stream === stream) &&
      textOf(entry).toLowerCase().includes(wanted),
  );
}
