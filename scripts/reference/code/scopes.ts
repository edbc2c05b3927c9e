import type { Node } from "oxc-parser";
import { callersOf, type Fn } from "./names.ts";
import type { CallSite, Project, Source } from "./project.ts";

/**
 * The scope in which an expression is evaluated: its file, the arguments of the functions around it, and the side
 * taken of each condition, by the conditions' text.
 */
export type Scope = { source: Source; calls: readonly Call[]; taken?: ReadonlyMap<string, boolean> };
type Call = { fn: Fn; args: readonly Node[]; scope: Scope };

/** A parameter, or a path in it, whose value depends on a call outside the scope. */
export type Open = { fn: Fn; index: number; path: readonly string[]; scope: Scope };

/** The possible nodes of an expression, each with its scope. */
export type Leaf = { node: Node; scope: Scope };
export type Leaves = { leaves: Leaf[]; open: Open[] };

/** The scope on one side of a condition. */
export function taking(scope: Scope, test: string, side: boolean): Scope {
  return { ...scope, taken: new Map([...(scope.taken ?? []), [test, side]]) };
}

/** The scope of a node in its file, outside any call, with the sides of the conditions around it. */
export function scopeOf(source: Source, at: Node): Scope {
  let scope: Scope = { source, calls: [] };
  for (
    let node = at, parent = source.parents.get(at);
    parent !== undefined;
    parent = source.parents.get(node)
  ) {
    if (parent.type === "ConditionalExpression" && parent.test !== node)
      scope = taking(
        scope,
        source.text.slice(parent.test.start, parent.test.end),
        parent.consequent === node,
      );
    node = parent;
  }
  return scope;
}

/** The scopes of an expression: one for each call that decides an open parameter. */
export function scopesOf(
  project: Project,
  scope: Scope,
  openIn: (scope: Scope) => readonly Open[],
  depth = 6,
): Scope[] {
  const [open] = openIn(scope);
  if (open === undefined || depth === 0) return [scope];
  const sites = callersOf(project, open.scope.source, open.fn).filter((site) => mayGive(site, open));
  if (sites.length === 0) return [scope];
  return sites.flatMap(({ source, call }) => {
    const bound = { fn: open.fn, args: call.arguments, scope: { source, calls: [] } };
    return scopesOf(project, withCall(scope, open.scope, bound), openIn, depth - 1);
  });
}

/** A call by property name may belong to another function. It does if it has too few arguments, or a number. */
function mayGive({ call }: CallSite, { fn, index }: Open): boolean {
  if (call.callee.type === "Identifier") return true;
  const required = fn.params.filter(
    (each) => each.type !== "AssignmentPattern" && each.type !== "RestElement",
  );
  const argument = call.arguments[index];
  return argument !== undefined && call.arguments.length >= required.length && !isNumber(argument);
}

/** Whether a node is a number, or a choice between numbers. */
export function isNumber(node: Node): boolean {
  if (node.type === "UnaryExpression") return isNumber(node.argument);
  if (node.type === "ConditionalExpression") return isNumber(node.consequent) && isNumber(node.alternate);
  return node.type === "Literal" && typeof node.value === "number";
}

function withCall(scope: Scope, target: Scope, call: Call): Scope {
  if (scope.source === target.source && scope.calls === target.calls)
    return { ...scope, calls: [...scope.calls, call] };
  return {
    ...scope,
    calls: scope.calls.map((each) => ({ ...each, scope: withCall(each.scope, target, call) })),
  };
}
