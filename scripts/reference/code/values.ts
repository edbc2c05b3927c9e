import type { Expression, Node, ObjectExpression } from "oxc-parser";
import { type Fn, type Found, findName, isFunction } from "./names.ts";
import type { Project, Source } from "./project.ts";
import { type Leaves, type Scope, taking } from "./scopes.ts";

const LONGEST_WAY = 12;

/**
 * Follows names, conditions, fallbacks and calls of the project's functions to the possible values of an expression.
 */
export function leavesOf(project: Project, node: Node, scope: Scope, depth = LONGEST_WAY): Leaves {
  const follow = (next: Node, from: Scope = scope) => leavesOf(project, next, from, depth - 1);
  const leaf = { leaves: [{ node, scope }], open: [] };
  if (depth === 0) return leaf;
  switch (node.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "ChainExpression":
      return follow(node.expression);
    case "AwaitExpression":
      return follow(node.argument);
    case "ConditionalExpression": {
      const test = scope.source.text.slice(node.test.start, node.test.end);
      const side = scope.taken?.get(test);
      return merge([
        ...(side === false ? [] : [follow(node.consequent, taking(scope, test, true))]),
        ...(side === true ? [] : [follow(node.alternate, taking(scope, test, false))]),
      ]);
    }
    case "LogicalExpression":
      return node.operator === "&&" ? follow(node.right) : merge([follow(node.left), follow(node.right)]);
    case "Identifier":
      return foundLeaves(project, findName(project, scope.source, node, node.name), leaf, scope, depth);
    case "MemberExpression":
      return memberLeaves(project, node, leaf, scope, depth);
    case "CallExpression": {
      if (node.callee.type !== "Identifier") return leaf;
      const found = findName(project, scope.source, node, node.callee.name);
      if (found?.type !== "function") return leaf;
      const inside = { source: found.source, calls: [{ fn: found.fn, args: node.arguments, scope }] };
      const results = resultsOf(found.source, found.fn);
      return results.length === 0 ? leaf : merge(results.map((result) => follow(result, inside)));
    }
    default:
      return leaf;
  }
}

function foundLeaves(
  project: Project,
  found: Found | undefined,
  leaf: Leaves,
  scope: Scope,
  depth: number,
): Leaves {
  if (found === undefined || found.type === "function") return leaf;
  const fallback = found.fallback === undefined ? [] : [leavesOf(project, found.fallback, scope, depth - 1)];
  const along = (node: Node, from: Scope) =>
    merge([walkPath(project, leavesOf(project, node, from, depth - 1), found.path, leaf), ...fallback]);
  if (found.type === "value")
    return along(found.node, found.source === scope.source ? scope : { source: found.source, calls: [] });
  const call = scope.calls.find(({ fn }) => fn === found.fn);
  if (call === undefined) return { leaves: [], open: [{ ...found, scope }] };
  const argument = call.args[found.index];
  if (argument !== undefined) return along(argument, call.scope);
  return fallback[0] ?? { leaves: [], open: [] };
}

function memberLeaves(
  project: Project,
  node: Extract<Node, { type: "MemberExpression" }>,
  leaf: Leaves,
  scope: Scope,
  depth: number,
): Leaves {
  const { leaves } = leavesOf(project, node.object, scope, depth - 1);
  const objects = leaves.filter(({ node: each }) => each.type === "ObjectExpression");
  if (objects.length === 0) return leaf;
  if (!node.computed && node.property.type === "Identifier")
    return walkPath(project, { leaves, open: [] }, [node.property.name], leaf);
  const keys = node.computed ? literalsIn(leavesOf(project, node.property, scope, depth - 1)) : undefined;
  if (keys !== undefined)
    return merge(keys.map((key) => walkPath(project, { leaves, open: [] }, [key], leaf)));
  const values = objects.flatMap((object) =>
    (object.node as ObjectExpression).properties.flatMap((property) =>
      property.type === "Property" ? [leavesOf(project, property.value, object.scope, depth - 1)] : [],
    ),
  );
  return merge(values);
}

/** The strings of an expression, if all of its possible values are literals. */
function literalsIn({ leaves, open }: Leaves): string[] | undefined {
  const texts = leaves.flatMap(({ node }) =>
    node.type === "Literal" && typeof node.value === "string" ? [node.value] : [],
  );
  return open.length > 0 || texts.length === 0 || texts.length < leaves.length ? undefined : texts;
}

/** The values at a path in object literals. If a value is no literal, the name itself is kept. */
function walkPath(project: Project, from: Leaves, path: readonly string[], name: Leaves): Leaves {
  const [first, ...rest] = path;
  if (first === undefined) return from;
  const next = from.leaves.map(({ node, scope }) =>
    node.type === "ObjectExpression" ? (propertyOf(project, node, first, scope) ?? merge([])) : name,
  );
  const open = from.open.map((each) => ({ ...each, path: [...each.path, first] }));
  return walkPath(project, merge([...next, { leaves: [], open }]), rest, name);
}

/**
 * The possible values of a property of an object literal, including spreads; undefined when it has no such property.
 */
export function propertyOf(
  project: Project,
  object: ObjectExpression,
  name: string,
  scope: Scope,
): Leaves | undefined {
  for (const property of object.properties.toReversed()) {
    if (property.type === "Property") {
      if (keyOf(property) === name) return leavesOf(project, property.value, scope);
      continue;
    }
    const spread = leavesOf(project, property.argument, scope);
    const found = spread.leaves.flatMap(({ node, scope: from }) =>
      node.type === "ObjectExpression" ? (propertyOf(project, node, name, from) ?? []) : [],
    );
    if (found.length > 0) return merge(found);
  }
  return undefined;
}

export function keyOf(property: ObjectExpression["properties"][number]): string | undefined {
  if (property.type !== "Property" || property.computed) return undefined;
  if (property.key.type === "Identifier") return property.key.name;
  return property.key.type === "Literal" ? String(property.key.value) : undefined;
}

/** The return values of a function, without those of nested functions. */
function resultsOf(source: Source, fn: Fn): Expression[] {
  if (fn.body === null) return [];
  if (fn.body.type !== "BlockStatement") return [fn.body as Expression];
  return source.nodes.flatMap((node) => {
    if (node.type !== "ReturnStatement" || node.argument === null) return [];
    return enclosingFunction(source, node) === fn ? [node.argument] : [];
  });
}

function enclosingFunction(source: Source, at: Node): Fn | undefined {
  for (let node = source.parents.get(at); node !== undefined; node = source.parents.get(node)) {
    if (isFunction(node)) return node;
  }
  return undefined;
}

export function merge(all: readonly Leaves[]): Leaves {
  return { leaves: all.flatMap(({ leaves }) => leaves), open: all.flatMap(({ open }) => open) };
}
