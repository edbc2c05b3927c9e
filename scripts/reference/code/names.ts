import type { ArrowFunctionExpression, Expression, Function as FunctionNode, Node } from "oxc-parser";
import type { CallSite, Project, Source } from "./project.ts";

export type Fn = ArrowFunctionExpression | FunctionNode;

/** The definition of a name, with the path into its value when it is destructured. */
export type Found =
  | { type: "value"; source: Source; node: Expression; path: string[]; fallback: Expression | undefined }
  | { type: "parameter"; fn: Fn; index: number; path: string[]; fallback: Expression | undefined }
  | { type: "function"; source: Source; fn: Fn };

/**
 * Finds the definition of a name at a node: a constant, a parameter or a function, in this file or in the imported
 * file.
 */
export function findName(project: Project, source: Source, at: Node, name: string): Found | undefined {
  for (let node: Node | undefined = at; node !== undefined; node = source.parents.get(node)) {
    const found =
      node.type === "BlockStatement" || node.type === "Program" || node.type === "SwitchCase"
        ? findInBlock(source, node.type === "SwitchCase" ? node.consequent : node.body, name)
        : isFunction(node)
          ? findParameter(node, name)
          : undefined;
    if (found !== undefined) return found;
  }
  return findImported(project, source, name);
}

export function isFunction(node: Node): node is Fn {
  return (
    node.type === "ArrowFunctionExpression" ||
    node.type === "FunctionExpression" ||
    node.type === "FunctionDeclaration"
  );
}

function findInBlock(source: Source, statements: readonly Node[], name: string): Found | undefined {
  for (const each of statements) {
    const statement =
      each.type === "ExportNamedDeclaration" && each.declaration !== null ? each.declaration : each;
    if (statement.type === "FunctionDeclaration" && statement.id?.name === name)
      return { type: "function", source, fn: statement };
    if (statement.type !== "VariableDeclaration") continue;
    for (const { id, init } of statement.declarations) {
      const way = wayTo(id, name);
      if (way === undefined || init === null) continue;
      if (isFunction(init) && way.path.length === 0) return { type: "function", source, fn: init };
      return { type: "value", source, node: init, ...way };
    }
  }
  return undefined;
}

function findParameter(fn: Fn, name: string): Found | undefined {
  for (const [index, parameter] of fn.params.entries()) {
    const way = wayTo(parameter, name);
    if (way !== undefined) return { type: "parameter", fn, index, ...way };
  }
  return undefined;
}

function findImported(project: Project, source: Source, name: string): Found | undefined {
  const target = source.imports.get(name);
  if (target === undefined) return undefined;
  for (const other of sourcesAt(project, target.from)) {
    const found = findInBlock(other, other.program.body, target.name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The file of a relative import; for a package of the project, all its files, because its `exports` are not read
 * here.
 */
function sourcesAt(project: Project, from: string): readonly Source[] {
  const exact = project.byFile.get(from);
  if (exact !== undefined) return [exact];
  return from.startsWith("@ngpu/") ? project.sources : [];
}

type Way = { path: string[]; fallback: Expression | undefined };

/** The path by which a pattern takes a name out of its value. */
function wayTo(pattern: Node, name: string): Way | undefined {
  if (pattern.type === "Identifier")
    return pattern.name === name ? { path: [], fallback: undefined } : undefined;
  if (pattern.type === "TSParameterProperty") return wayTo(pattern.parameter, name);
  if (pattern.type === "AssignmentPattern") {
    const way = wayTo(pattern.left, name);
    return way === undefined ? undefined : { ...way, fallback: way.fallback ?? pattern.right };
  }
  if (pattern.type !== "ObjectPattern") return undefined;
  for (const property of pattern.properties) {
    if (property.type === "RestElement" || property.key.type !== "Identifier") continue;
    const way = wayTo(property.value, name);
    if (way !== undefined) return { ...way, path: [property.key.name, ...way.path] };
  }
  return undefined;
}

/** The calls of a function: by its name in its file and in files that import it, and as a property of that name. */
export function callersOf(project: Project, source: Source, fn: Fn): CallSite[] {
  const parent = source.parents.get(fn);
  if (parent?.type === "Property" && parent.key.type === "Identifier")
    return byMember(project, parent.key.name);
  const name =
    fn.type === "FunctionDeclaration"
      ? fn.id?.name
      : parent?.type === "VariableDeclarator" && parent.id.type === "Identifier"
        ? parent.id.name
        : undefined;
  if (name === undefined) return [];
  const named = (project.callsByName.get(name) ?? []).filter(({ source: caller, call }) => {
    if (call.callee.type !== "Identifier") return false;
    const found = findName(project, caller, call, name);
    return found?.type === "function" && found.fn === fn;
  });
  return [...named, ...(isHandedOut(source, fn, name) ? byMember(project, name) : [])];
}

function byMember(project: Project, name: string): CallSite[] {
  return [...(project.callsByMember.get(name) ?? [])];
}

/** Whether an object of the function's scope has it as `{ name }`. */
function isHandedOut(source: Source, fn: Fn, name: string): boolean {
  return source.nodes.some(
    (node) =>
      node.type === "Property" &&
      node.shorthand &&
      node.key.type === "Identifier" &&
      node.key.name === name &&
      source.parents.get(node)?.type === "ObjectExpression" &&
      node.start > fn.start,
  );
}
