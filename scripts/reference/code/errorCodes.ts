import type { Node } from "oxc-parser";
import { errorClasses } from "./errorClasses.ts";
import { type Project, positionOf, type Source } from "./project.ts";
import { isNumber, type Leaf, type Leaves, type Scope, scopeOf, scopesOf } from "./scopes.ts";
import { openIn, sentencesOf, textsOf } from "./texts.ts";
import { nameOf, type Written, writtenError } from "./writtenErrors.ts";

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
