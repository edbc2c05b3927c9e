import type { Class } from "oxc-parser";
import type { Project } from "./project.ts";

/** A class of errors with a code: its kind, and the names of its constructor's parameters. */
export type ErrorClass = { kind: string; parameters: string[] };

const KINDS: Record<string, string> = {
  RetryableError: "retryable",
  FatalError: "fatal",
  InputError: "input",
};

/** The error classes with a code, by name: classes that extend Error and have a parameter `code` or `options`. */
export function errorClasses(project: Project): Map<string, ErrorClass> {
  const declared = new Map<string, Class>();
  for (const source of project.sources) {
    for (const node of source.nodes) {
      if (node.type === "ClassDeclaration" && node.id !== null) declared.set(node.id.name, node);
    }
  }
  const classes = new Map<string, ErrorClass>();
  for (const name of declared.keys()) {
    const line = lineageOf(declared, name);
    const parameters =
      line.map((each) => parametersOf(declared.get(each))).find((each) => each.length > 0) ?? [];
    if (line.at(-1) !== "Error" || !(parameters.includes("code") || parameters.includes("options"))) continue;
    const known = line.map((each) => KINDS[each]).find((kind) => kind !== undefined);
    const kind = known ?? (parameters.includes("status") ? "input" : "retryable or fatal");
    classes.set(name, { kind, parameters });
  }
  return classes;
}

/** The class, its base, and so on, up to a class outside the project. */
function lineageOf(declared: ReadonlyMap<string, Class>, name: string): string[] {
  const base = declared.get(name)?.superClass;
  if (!declared.has(name) || base?.type !== "Identifier") return [name];
  return [name, ...lineageOf(declared, base.name)];
}

function parametersOf(node: Class | undefined): string[] {
  for (const member of node?.body.body ?? []) {
    if (member.type !== "MethodDefinition" || member.kind !== "constructor") continue;
    return member.value.params.map((each) => {
      const inner = each.type === "TSParameterProperty" ? each.parameter : each;
      const pattern = inner.type === "AssignmentPattern" ? inner.left : inner;
      return pattern.type === "Identifier" ? pattern.name : "";
    });
  }
  return [];
}
