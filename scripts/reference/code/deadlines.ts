import type { Comment, Node, ObjectProperty } from "oxc-parser";
import { type Project, positionOf, type Source } from "./project.ts";
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

type Constant = { name: string; milliseconds: number; node: Node };

const tag = "@deadline";
/** Names of constants and options that are deadlines. */
const named = /(deadline|timeout|silence)(ms)?$/i;

/** Every number with the comment tag `@deadline`. A number whose name says that it is a deadline must have the tag. */
export function deadlines(project: Project): Deadlines {
  const result: Deadlines = { deadlines: [], problems: [] };
  for (const source of project.sources) {
    // `npm start` and its embedded parts are no part of a market.
    if (source.component === "scripts") continue;
    const tagged = new Set<Node>();
    const constants = constantsOf(source);
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
  return result;
}

function untagged(source: Source, constants: readonly Constant[], tagged: ReadonlySet<Node>): string[] {
  const numbers = constants
    .filter(({ name, node }) => named.test(name) && !tagged.has(node))
    .map(({ name, node }) => `${positionOf(source, node)}: ${name} has no comment with ${tag}`);
  const literals = source.nodes.flatMap((node) => {
    if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return [];
    const { object, property } = node.callee;
    const isTimeout =
      object.type === "Identifier" &&
      object.name === "AbortSignal" &&
      property.type === "Identifier" &&
      property.name === "timeout";
    return isTimeout && numberOf(node.arguments[0]) !== undefined
      ? [`${positionOf(source, node)}: this deadline is no constant with ${tag}`]
      : [];
  });
  return [...numbers, ...literals];
}

/** The numbers that have a name: constants, and properties of objects. */
function constantsOf({ nodes, parents }: Source): Constant[] {
  return nodes.flatMap((node) => {
    if (node.type === "VariableDeclarator" && node.id.type === "Identifier") {
      const milliseconds = numberOf(node.init);
      const declaration = parents.get(node) ?? node;
      return milliseconds === undefined ? [] : [{ name: node.id.name, milliseconds, node: declaration }];
    }
    if (node.type === "Property") {
      const milliseconds = numberOf(node.value);
      const name = keyOf(node as ObjectProperty);
      return milliseconds === undefined || name === undefined ? [] : [{ name, milliseconds, node }];
    }
    return [];
  });
}

function numberOf(node: Node | null | undefined): number | undefined {
  return node?.type === "Literal" && typeof node.value === "number" ? node.value : undefined;
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
