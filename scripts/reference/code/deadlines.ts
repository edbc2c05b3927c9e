import type { Comment, Node, ObjectProperty } from "oxc-parser";
import { type Project, positionOf, type Source } from "./project.ts";
import { numberOf, type TimerTags, timerProblems } from "./timers.ts";
import { keyOf } from "./values.ts";

/** A wait on something outside: what is awaited, for how many milliseconds, and what happens then. */
export type Deadline = {
  name: string;
  milliseconds: number;
  on: string;
  outcome: string;
  file: string;
  component: string;
};
export type Deadlines = { deadlines: Deadline[]; problems: string[] };

type Constant = { name: string; milliseconds: number; node: Node; value: Node };

const tag = "@deadline";
/** Names of constants and options that are deadlines. */
const named = /(deadline|timeout|silence)(ms|millis|milliseconds)?$/i;

/**
 * Every number with the comment tag `@deadline`. A number must have the tag if its name says that it is a deadline, or if it reaches a
 * timer that ends a wait.
 */
export function deadlines(project: Project): Deadlines {
  const result: Deadlines = { deadlines: [], problems: [] };
  const tags: TimerTags = { tagged: new Set(), names: new Map() };
  for (const source of project.sources) {
    // `npm start` and its embedded parts are no part of a market.
    if (source.component === "scripts") continue;
    const tagged = new Set<Node>();
    const constants = constantsOf(source);
    for (const { value, name } of constants) tags.names.set(value, name);
    for (const comment of source.comments) {
      if (!comment.value.includes(tag)) continue;
      const constant = constants.find(({ node }) => follows(source, comment, node));
      if (constant === undefined) {
        result.problems.push(
          `${source.file}: a comment with ${tag} is not before a number: ${comment.value.trim()}`,
        );
        continue;
      }
      tagged.add(constant.node);
      tags.tagged.add(constant.value);
      const { name, milliseconds } = constant;
      const { on, outcome } = partsOf(comment);
      if (outcome === "")
        result.problems.push(`${positionOf(source, constant.node)}: ${name} does not say what happens then`);
      result.deadlines.push({
        name,
        milliseconds,
        on,
        outcome,
        file: source.file,
        component: source.component,
      });
    }
    result.problems.push(...untagged(source, constants, tagged));
  }
  const market = project.sources.filter(({ component }) => component !== "scripts");
  result.problems.push(...market.flatMap((source) => timerProblems(project, source, tags)));
  return { ...result, problems: [...new Set(result.problems)] };
}

function untagged(source: Source, constants: readonly Constant[], tagged: ReadonlySet<Node>): string[] {
  return constants
    .filter(({ name, node, milliseconds }) => named.test(name) && milliseconds > 0 && !tagged.has(node))
    .map(({ name, node }) => `${positionOf(source, node)}: ${name} has no comment with ${tag}`);
}

/** The numbers that have a name: constants, properties of objects, and defaults. */
function constantsOf({ nodes, parents }: Source): Constant[] {
  return nodes.flatMap((node) => {
    if (node.type === "VariableDeclarator" && node.id.type === "Identifier") {
      const milliseconds = numberOf(node.init);
      const declaration = parents.get(node) ?? node;
      return milliseconds === undefined
        ? []
        : [{ name: node.id.name, milliseconds, node: declaration, value: node.init as Node }];
    }
    if (node.type === "Property") {
      const milliseconds = numberOf(node.value);
      const name = keyOf(node as ObjectProperty);
      return milliseconds === undefined || name === undefined
        ? []
        : [{ name, milliseconds, node, value: node.value }];
    }
    if (node.type === "AssignmentPattern" && node.left.type === "Identifier") {
      const milliseconds = numberOf(node.right);
      return milliseconds === undefined
        ? []
        : [{ name: node.left.name, milliseconds, node, value: node.right }];
    }
    return [];
  });
}

function follows({ text }: Source, comment: Comment, node: Node): boolean {
  return comment.end <= node.start && /^\s*(export\s+)?$/.test(text.slice(comment.end, node.start));
}

/** The first sentence says what is awaited, the others what happens then. */
function partsOf(comment: Comment): { on: string; outcome: string } {
  const text = comment.value
    .slice(comment.value.indexOf(tag) + tag.length)
    .replace(/\n\s*\*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  const end = text.search(/\.(\s|$)/);
  return {
    on: text.slice(0, end < 0 ? text.length : end),
    outcome: end < 0 ? "" : text.slice(end + 1).trim(),
  };
}
