import { type LogEvent, logEvents } from "../code/logEvents.ts";
import { code, codes, compare, item, pageHead, sections } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `Every \`event\` that a program logs, by component, with its level and other fields. \`…\` stands for the fields of an
object. Programs log JSON lines on standard output. \`service\` is the name of the program, \`time\` the time.`;

export const logEventsPage: PageOf = ({ project }) => {
  const { events, problems } = logEvents(project);
  return {
    text: pageHead("Log events", HEAD) + sections(events, ({ component }) => component, listOf),
    problems,
  };
};

function listOf(events: LogEvent[]): string {
  const groups = Map.groupBy(events, ({ event, level }) => `${event} ${level}`);
  return [...groups]
    .sort(([a], [b]) => compare(a, b))
    .map(([, group]) => entryOf(group))
    .join("\n");
}

function entryOf(group: LogEvent[]): string {
  const [{ event, level, component } = { event: "", level: "", component: "" }] = group;
  const fields = [...new Set(group.flatMap((each) => each.fields))];
  const files = [...new Set(group.map(({ file }) => file.replace(`${component}/`, "")))].sort(compare);
  const known = codes(fields.filter((field) => field !== "…"));
  const rest = fields.includes("…") ? (known === "" ? "…" : ", …") : "";
  const beside = known + rest;
  return item(`${code(event)} (${level})${beside === "" ? "" : `: ${beside}`}. ${codes(files)}`);
}
