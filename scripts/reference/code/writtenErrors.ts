import type { NewExpression, Node, ObjectExpression } from "oxc-parser";
import type { ErrorClass } from "./errorClasses.ts";
import type { Project, Source } from "./project.ts";
import type { Leaves, Scope } from "./scopes.ts";
import { leavesOf, merge, propertyOf } from "./values.ts";

/** The parts of an error in the code. */
export type Written = { kind: string; code: PartIn; message: PartIn; hint: PartIn; status: PartIn };
type PartIn = (scope: Scope) => Leaves | undefined;

/** An error that a node creates or writes in a response; undefined: none. */
export function writtenError(
  project: Project,
  classes: ReadonlyMap<string, ErrorClass>,
  source: Source,
  node: Node,
): Written | undefined {
  if (node.type === "NewExpression" && node.callee.type === "Identifier") {
    const errorClass = classes.get(node.callee.name);
    return errorClass === undefined ? undefined : raised(project, errorClass, node);
  }
  if (node.type === "ObjectExpression" && isReply(source, node)) {
    const part = (name: string) => (scope: Scope) => propertyOf(project, node, name, scope);
    return {
      kind: "reply",
      code: part("code"),
      message: part("message"),
      hint: (scope) => part("hint")(scope) ?? detailHint(project, part("detail")(scope)),
      status: part("status"),
    };
  }
  return undefined;
}

/** The hint of an error in the format of the OCI distribution specification, where `detail` is free. */
function detailHint(project: Project, detail: Leaves | undefined): Leaves | undefined {
  const hints = (detail?.leaves ?? []).flatMap(({ node, scope }) =>
    node.type === "ObjectExpression" ? (propertyOf(project, node, "hint", scope) ?? []) : [],
  );
  return hints.length === 0 ? undefined : merge(hints);
}

/** A class receives each part as a parameter of that name or as a property of `options`. */
function raised(project: Project, { kind, parameters }: ErrorClass, node: NewExpression): Written {
  const part =
    (name: string): PartIn =>
    (scope) => {
      const own = node.arguments[parameters.indexOf(name)];
      if (own !== undefined) return leavesOf(project, own, scope);
      const options = node.arguments[parameters.indexOf("options")];
      if (options === undefined) return undefined;
      const { leaves, open } = leavesOf(project, options, scope);
      const found = leaves.flatMap(({ node: each, scope: from }) =>
        each.type === "ObjectExpression" ? (propertyOf(project, each, name, from) ?? []) : [],
      );
      if (found.length === 0 && open.length === 0) return undefined;
      return {
        leaves: found.flatMap((each) => each.leaves),
        open: [...open, ...found.flatMap((e) => e.open)],
      };
    };
  return { kind, code: part("code"), message: part("message"), hint: part("hint"), status: part("status") };
}

/** `{ code, message }` as a literal, but not the shape of a schema. */
function isReply(source: Source, node: ObjectExpression): boolean {
  const names = new Set(node.properties.map((each) => (each.type === "Property" ? nameOf(each.key) : "")));
  if (!names.has("code") || !names.has("message") || names.has("event")) return false;
  const parent = source.parents.get(node);
  if (parent?.type !== "CallExpression" || parent.callee.type !== "MemberExpression") return true;
  const called = nameOf(parent.callee.property);
  return called !== "object" && called !== "strictObject" && called !== "addIssue";
}

/** The name of an identifier; empty for another node. */
export function nameOf(node: Node): string {
  return node.type === "Identifier" ? node.name : "";
}
