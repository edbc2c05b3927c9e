import type { ObjectExpression } from "oxc-parser";
import { type Project, positionOf, type Source } from "./project.ts";
import { scopeOf } from "./scopes.ts";
import { textsOf } from "./texts.ts";
import { keyOf, leavesOf } from "./values.ts";

export type QueueUse = { name: string; says: string; openedBy: string[]; servedBy: string[] };
export type Queues = { queues: QueueUse[]; problems: string[] };

/** The queues of the constant `queues`, with the services that add jobs and those that process them. */
export function queueUses(project: Project): Queues {
  const problems: string[] = [];
  const used = (called: string) =>
    (project.callsByName.get(called) ?? []).flatMap(({ source, call }) => {
      const [name] = call.arguments;
      const texts =
        name === undefined
          ? []
          : textsOf(project, leavesOf(project, name, scopeOf(source, call)).leaves).texts;
      if (texts.length === 0)
        problems.push(`${positionOf(source, call)}: the queue of this call cannot be known`);
      return texts.map((text) => ({ name: text, component: source.component }));
    });
  const opened = used("openQueue");
  const served = used("serveQueue");
  const by = (uses: ReturnType<typeof used>, name: string) => [
    ...new Set(uses.filter((use) => use.name === name).map(({ component }) => component)),
  ];
  const declared = declaration(project);
  if (declared === undefined) return { queues: [], problems: ["no file declares the constant `queues`"] };
  const queues = declared.object.properties.map((property) => {
    const name = keyOf(property) ?? "";
    const says = docBefore(declared.source, property.start);
    if (says === "") problems.push(`${positionOf(declared.source, property)}: the queue has no comment`);
    return { name, says, openedBy: by(opened, name), servedBy: by(served, name) };
  });
  return { queues, problems };
}

function declaration(project: Project): { source: Source; object: ObjectExpression } | undefined {
  for (const source of project.sources) {
    for (const node of source.nodes) {
      if (node.type !== "VariableDeclarator" || node.id.type !== "Identifier" || node.id.name !== "queues")
        continue;
      const object = node.init?.type === "TSAsExpression" ? node.init.expression : node.init;
      if (object?.type === "ObjectExpression") return { source, object };
    }
  }
  return undefined;
}

/** The documentation comment that ends immediately before a position. */
function docBefore({ comments, text }: Source, place: number): string {
  const comment = comments.findLast(({ end }) => end <= place && text.slice(end, place).trim() === "");
  return (comment?.value ?? "")
    .replace(/^\*|\n\s*\*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
