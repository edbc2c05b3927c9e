import type { NewExpression, Node, ObjectExpression } from "oxc-parser";
import { type ErrorClass, errorClasses } from "./errorClasses.ts";
import { type Project, positionOf, type Source } from "./project.ts";
import { openIn, sentencesOf, textsOf } from "./texts.ts";
import {
  isNumber,
  type Leaf,
  type Leaves,
  leavesOf,
  merge,
  propertyOf,
  type Scope,
  scopeOf,
  scopesOf,
} from "./values.ts";

export type ErrorCode = {
  code: string;
  /** Kind of the error: `retryable`, `fatal`, `input`; `reply` is written in a response without being thrown. */
  kind: string;
  status: number | undefined;
  messages: string[];
  hints: string[];
  component: string;
  file: string;
  /** `file:line` of the error. */
  position: string;
};

export type ErrorCodes = {
  codes: ErrorCode[];
  /** Files that pass on a code of another program or another error. */
  passedOn: { component: string; file: string }[];
  /** Values that cannot be derived from the code, one line each. */
  problems: string[];
};

/** The parts of an error in the code. */
type Written = { kind: string; code: PartIn; message: PartIn; hint: PartIn; status: PartIn };
type PartIn = (scope: Scope) => Leaves | undefined;

/** Every code that an error is thrown with, or that a response is written with. */
export function errorCodes(project: Project): ErrorCodes {
  const classes = errorClasses(project);
  const result: ErrorCodes = { codes: [], passedOn: [], problems: [] };
  for (const source of project.sources) {
    for (const node of source.nodes) {
      const written = writtenError(project, classes, source, node);
      if (written !== undefined) readError(project, source, node, written, result);
    }
  }
  return result;
}

function writtenError(
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

function readError(project: Project, source: Source, node: Node, written: Written, result: ErrorCodes): void {
  const start = scopeOf(source, node);
  const opens = (scope: Scope) => {
    const code = written.code(scope);
    return [...(code === undefined ? [] : openIn(project, code)), ...(written.message(scope)?.open ?? [])];
  };
  for (const scope of scopesOf(project, start, opens)) {
    const code = written.code(scope);
    const at = outermost(scope);
    if (code === undefined) {
      result.problems.push(`${positionOf(source, node)}: the error has no code`);
      continue;
    }
    const open = openIn(project, code);
    if (open.some(({ path }) => path.at(-1) === "code"))
      result.passedOn.push({ component: at.component, file: at.file });
    else if (open.length > 0)
      result.problems.push(
        `${positionOf(source, node)}: the code of this error cannot be known from the code`,
      );
    for (const leaf of code.leaves) readCode(project, source, node, written, { scope, leaf, at }, result);
  }
}

/**
 * Reads the parts that belong to one of an error's codes: those on the same sides of the conditions that lead to it.
 */
function readCode(
  project: Project,
  source: Source,
  node: Node,
  written: Written,
  { scope, leaf, at }: { scope: Scope; leaf: Leaf; at: Source },
  result: ErrorCodes,
): void {
  const { component, file } = at;
  // A JSON-RPC error has a number of its own protocol.
  if (isNumber(leaf.node)) return;
  const { texts, unknown } = textsOf(project, [leaf]);
  if (unknown.some(isPassedOn)) result.passedOn.push({ component, file });
  else if (unknown.length > 0)
    result.problems.push(
      `${positionOf(source, node)}: the code of this error cannot be known from the code (${positionOf(leaf.scope.source, leaf.node)})`,
    );
  const within = leaf.scope.calls === scope.calls ? { ...scope, ...takenOf(leaf.scope) } : scope;
  const { kind } = written;
  const messages = sentences(project, written.message(within));
  const status = numberIn(written.status(within));
  const position = decidedAt(scope, source, node);
  const hint = written.hint(within);
  const hints = sentences(project, hint);
  for (const code of texts) {
    if (isLacking(hint) && !messages.some((text) => text.includes("{hint}")))
      result.problems.push(`${position}: the error ${code} has no hint that says what to do`);
  }
  for (const code of texts)
    result.codes.push({ code, kind, status, messages, hints, component, file, position });
}

function takenOf({ taken }: Scope): Pick<Scope, "taken"> {
  return taken === undefined ? {} : { taken };
}

/** The file of the call that decides the code, if a helper creates the error. */
function outermost(scope: Scope): Source {
  const last = scope.calls.at(-1);
  return last === undefined ? scope.source : outermost(last.scope);
}

/** `file:line` of the call that decides the code, if a helper creates the error. */
function decidedAt(scope: Scope, source: Source, node: Node): string {
  const last = scope.calls.at(-1);
  const first = last?.args[0];
  return last === undefined || first === undefined
    ? positionOf(source, node)
    : decidedAt(last.scope, last.scope.source, first);
}

/** Whether an error may have no hint: the hint is missing, empty or undefined on a side of a condition. */
function isLacking(hint: Leaves | undefined): boolean {
  if (hint === undefined || hint.leaves.length + hint.open.length === 0) return true;
  return hint.leaves.some(
    ({ node }) =>
      (node.type === "Identifier" && node.name === "undefined") ||
      (node.type === "Literal" && (node.value === "" || node.value === null)),
  );
}

function sentences(project: Project, part: Leaves | undefined): string[] {
  const known = (part?.leaves ?? []).flatMap(({ node, scope }) => sentencesOf(project, node, scope));
  return [...new Set(known)];
}

function numberIn(part: Leaves | undefined): number | undefined {
  for (const { node } of part?.leaves ?? []) {
    if (node.type === "Literal" && typeof node.value === "number") return node.value;
  }
  return undefined;
}

/** `error.code`: the code of another error. */
function isPassedOn({ node }: Leaf): boolean {
  return (
    (node.type === "MemberExpression" && /^(error_)?code$/.test(nameOf(node.property))) ||
    (node.type === "Identifier" && node.name === "code")
  );
}

function nameOf(node: Node): string {
  return node.type === "Identifier" ? node.name : "";
}
