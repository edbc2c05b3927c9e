import { item, pageHead } from "../markdown.ts";
import { chainEventsPage } from "./chainEvents.ts";
import { commandsPage } from "./commands.ts";
import { deadlinesPage } from "./deadlines.ts";
import { errorCodesPage } from "./errorCodes.ts";
import { logEventsPage } from "./logEvents.ts";
import { metricsPage } from "./metrics.ts";
import type { Input, PageOf } from "./page.ts";
import { queuesPage } from "./queues.ts";
import { reasonsPage } from "./reasons.ts";
import { tablesPage } from "./tables.ts";
import { variablesPage } from "./variables.ts";

const PAGES: { name: string; says: string; make: PageOf }[] = [
  { name: "tables", says: "schemas `app` and `chain`: columns, writers, readers", make: tablesPage },
  { name: "chain-events", says: "events and errors of the contracts", make: chainEventsPage },
  { name: "queues", says: "BullMQ queues", make: queuesPage },
  { name: "variables", says: "environment variables of every program", make: variablesPage },
  { name: "commands", says: "commands of `ngpu`, with options and exit codes", make: commandsPage },
  { name: "error-codes", says: "error codes, with message, hint and HTTP status", make: errorCodesPage },
  {
    name: "deadlines",
    says: "waits on something outside: how long, and what happens then",
    make: deadlinesPage,
  },
  { name: "log-events", says: "log events, with level and fields", make: logEventsPage },
  { name: "reasons", says: "why workspaces and replicas do not run, with what to do", make: reasonsPage },
  { name: "metrics", says: "metrics of every program", make: metricsPage },
];

const HEAD = `Lists that \`npm run reference\` generates from the code; \`npm test\` checks that they are current.
[Architecture](../architecture.md) explains how the parts work together.`;

/** Every page of the reference by file name, and what could not be read. */
export function referencePages(input: Input): { pages: Map<string, string>; problems: string[] } {
  const made = PAGES.map(({ name, make }) => ({ name, ...make(input) }));
  const index = PAGES.map(({ name, says }) => item(`[${name}](${name}.md): ${says}`)).join("\n");
  const pages = new Map([
    ["README.md", `${pageHead("Reference", HEAD)}\n${index}\n`],
    ...made.map(({ name, text }) => [`${name}.md`, text] as const),
  ]);
  return {
    pages,
    problems: made.flatMap(({ name, problems }) => problems.map((each) => `${name}: ${each}`)),
  };
}
