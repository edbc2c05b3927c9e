import { type Deadline, deadlines } from "../code/deadlines.ts";
import { code, compare, item, pageHead, plain, sections } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `Every wait on something outside a program: a registry, the Docker engine, an RPC endpoint, a container, another
service, Postgres, Redis. Each item has the name of the constant, what is awaited and for how long, what happens then, and
the file. A deadline without an answer is one of progress: it begins again with each answer or byte, unless it is of a
complete response. The comment tag \`@deadline\` declares it. Services also report work that takes longer than the
variables \`DEADLINE_…\`, which [Variables](variables.md) lists.`;

export const deadlinesPage: PageOf = ({ project }) => {
  const { deadlines: found, problems } = deadlines(project);
  return {
    text: pageHead("Deadlines", HEAD) + sections(found, ({ component }) => component, listOf),
    problems,
  };
};

function listOf(found: Deadline[]): string {
  return found
    .toSorted((a, b) => compare(a.file, b.file) || compare(a.name, b.name))
    .map(({ name, milliseconds, on, outcome, file, component }) => {
      const where = code(file.replace(`${component}/`, ""));
      return item(
        `${code(name)}, ${durationOf(milliseconds)}: ${plain(on)}. Then: ${plain(outcome)} ${where}`,
      );
    })
    .join("\n");
}

function durationOf(milliseconds: number): string {
  if (milliseconds < 1_000) return `${milliseconds} ms`;
  const seconds = milliseconds / 1_000;
  return seconds >= 600 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
