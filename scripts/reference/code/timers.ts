import type { CallExpression, Node } from "oxc-parser";
import { type Project, positionOf, type Source } from "./project.ts";
import { scopeOf } from "./scopes.ts";
import { leavesOf } from "./values.ts";

/** The numbers with the tag of deadlines, and the names of all numbers that have one. */
export type TimerTags = { tagged: Set<Node>; names: Map<Node, string> };

/** A timer that ends a wait, or one that only pauses. */
type Timer = { milliseconds: Node | undefined; ends: boolean };

/** Names of numbers that pace the program's own work: nothing outside is awaited. */
const pausing = /(pause|delay|interval|every|backoff|batch|tick|life)(ms)?$/i;

/**
 * Numbers that reach `AbortSignal.timeout`, `setTimeout` or a socket's `setTimeout` without the tag of deadlines. A number that only
 * pauses needs a name.
 */
export function timerProblems(project: Project, source: Source, tags: TimerTags): string[] {
  return source.nodes.flatMap((node) => {
    const timer = node.type === "CallExpression" ? timerOf(source, node) : undefined;
    if (timer?.milliseconds === undefined) return [];
    return numbersIn(project, source, timer.milliseconds).flatMap((number) => {
      if (tags.tagged.has(number.node)) return [];
      const name = tags.names.get(number.node);
      const at = positionOf(number.source, number.node);
      if (name === undefined)
        return [`${at}: the time of a timer is no constant with @deadline, and no named pause`];
      return !timer.ends || pausing.test(name)
        ? []
        : [`${at}: ${name} ends a wait and has no comment with @deadline`];
    });
  });
}

function timerOf({ imports }: Source, { callee, arguments: args }: CallExpression): Timer | undefined {
  if (callee.type === "Identifier") {
    const imported = imports.get(callee.name);
    if (imported === undefined)
      return callee.name === "setTimeout" ? { milliseconds: args[1], ends: true } : undefined;
    const isPause = /^(node:)?timers\/promises$/.test(imported.from) && imported.name === "setTimeout";
    return isPause ? { milliseconds: args[0], ends: false } : undefined;
  }
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return undefined;
  const { object, property } = callee;
  const isSignal =
    object.type === "Identifier" && object.name === "AbortSignal" && property.name === "timeout";
  return isSignal || property.name === "setTimeout" ? { milliseconds: args[0], ends: true } : undefined;
}

/** The numbers that an expression may be. A factor, as in `2 * silence`, is none. */
function numbersIn(project: Project, source: Source, node: Node): { source: Source; node: Node }[] {
  return leavesOf(project, node, scopeOf(source, node)).leaves.flatMap((leaf) => {
    const value = numberOf(leaf.node);
    if (value !== undefined) return value > 0 ? [{ source: leaf.scope.source, node: leaf.node }] : [];
    if (leaf.node.type !== "BinaryExpression") return [];
    return [leaf.node.left, leaf.node.right].flatMap((side) =>
      numberOf(side) === undefined ? numbersIn(project, leaf.scope.source, side) : [],
    );
  });
}

/** The value of a number, or of an expression of numbers. */
export function numberOf(node: Node | null | undefined): number | undefined {
  if (node?.type === "Literal") return typeof node.value === "number" ? node.value : undefined;
  if (node?.type !== "BinaryExpression") return undefined;
  const left = numberOf(node.left);
  const right = numberOf(node.right);
  if (left === undefined || right === undefined) return undefined;
  if (node.operator === "*") return left * right;
  if (node.operator === "+") return left + right;
  return node.operator === "/" ? left / right : undefined;
}
