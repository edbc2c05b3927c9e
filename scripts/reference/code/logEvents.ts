import type { CallExpression, Node, ObjectExpression } from "oxc-parser";
import { isFunction } from "./names.ts";
import { type Project, positionOf, type Source } from "./project.ts";
import { type Scope, scopeOf, scopesOf } from "./scopes.ts";
import { openIn, textsOf } from "./texts.ts";
import { keyOf, leavesOf, propertyOf } from "./values.ts";

export type LogEvent = { event: string; level: string; fields: string[]; component: string; file: string };
export type LogEvents = { events: LogEvent[]; problems: string[] };

const LEVELS = new Set(["debug", "info", "warn", "error"]);

/** A call that writes a log line, with its event, level and fields. */
type Line = { event: Node | undefined; level: Node | string; fields: Node | undefined };

/** Every event that is logged, through a logger or through the images' `log(event, facts)`. */
export function logEvents(project: Project): LogEvents {
  const result: LogEvents = { events: [], problems: [] };
  for (const source of project.sources) {
    for (const node of source.nodes) {
      if (node.type !== "CallExpression") continue;
      const line = lineOf(node);
      if (line !== undefined && !isHandedOn(source, node)) readLine(project, source, node, line, result);
    }
  }
  return result;
}

function lineOf({ callee, arguments: args }: CallExpression): Line | undefined {
  const [first, second] = args;
  if (callee.type === "Identifier" && callee.name === "log" && first !== undefined)
    return { event: first, level: "info", fields: second };
  if (callee.type !== "MemberExpression" || !isLogger(callee.object)) return undefined;
  const { property } = callee;
  const level = callee.computed ? property : property.type === "Identifier" ? property.name : "";
  if (typeof level === "string" && !LEVELS.has(level)) return undefined;
  return { event: undefined, level, fields: first };
}

function isLogger(node: Node): boolean {
  if (node.type === "MemberExpression") return isLogger(node.property);
  return node.type === "Identifier" && node.name === "logger";
}

/** `info: (fields) => logger.info(fields)` writes the events of its callers. */
function isHandedOn(source: Source, call: CallExpression): boolean {
  const parent = source.parents.get(call);
  const [only] = call.arguments;
  return (
    only?.type === "Identifier" &&
    parent !== undefined &&
    isFunction(parent) &&
    parent.params.some((each) => each.type === "Identifier" && each.name === only.name)
  );
}

function readLine(project: Project, source: Source, node: Node, line: Line, result: LogEvents): void {
  const read = (scope: Scope) =>
    line.event === undefined ? fromFields(project, line.fields, scope) : leavesOf(project, line.event, scope);
  const problem = () =>
    result.problems.push(`${positionOf(source, node)}: this log line's event cannot be known`);
  for (const scope of scopesOf(project, scopeOf(source, node), (each) => openIn(project, read(each)))) {
    const event = read(scope);
    const { texts, unknown } = textsOf(project, event.leaves);
    if (texts.length === 0 || unknown.length > 0 || openIn(project, event).length > 0) problem();
    const fields = fieldsOf(project, line.fields, scope).filter((name) => name !== "event");
    const { component, file } = source;
    for (const level of levelsOf(project, line.level, scope))
      for (const each of texts) result.events.push({ event: each, level, fields, component, file });
  }
}

function fromFields(project: Project, fields: Node | undefined, scope: Scope) {
  const empty = { leaves: [], open: [] };
  if (fields === undefined) return empty;
  const { leaves, open } = leavesOf(project, fields, scope);
  const events = leaves.flatMap(({ node, scope: from }) =>
    node.type === "ObjectExpression" ? (propertyOf(project, node, "event", from) ?? []) : [],
  );
  return {
    leaves: events.flatMap((each) => each.leaves),
    open: [...open, ...events.flatMap((each) => each.open)],
  };
}

function levelsOf(project: Project, level: Node | string, scope: Scope): string[] {
  if (typeof level === "string") return [level];
  return textsOf(project, leavesOf(project, level, scope).leaves).texts;
}

/** The names of the fields; `…` for those of an object that is known only at run time. */
function fieldsOf(project: Project, node: Node | undefined, scope: Scope): string[] {
  if (node === undefined) return [];
  const { leaves, open } = leavesOf(project, node, scope);
  const names = leaves.flatMap(({ node: each, scope: from }) =>
    each.type === "ObjectExpression" ? keysOf(project, each, from) : ["…"],
  );
  return [...new Set(open.length > 0 ? [...names, "…"] : names)];
}

function keysOf(project: Project, object: ObjectExpression, scope: Scope): string[] {
  return object.properties.flatMap((property) =>
    property.type === "SpreadElement"
      ? fieldsOf(project, property.argument, scope)
      : [keyOf(property) ?? "…"],
  );
}
