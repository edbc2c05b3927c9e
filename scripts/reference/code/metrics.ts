import type { NewExpression } from "oxc-parser";
import { type Project, positionOf, type Source } from "./project.ts";
import { type Leaves, type Scope, scopeOf, scopesOf } from "./scopes.ts";
import { openIn, sentencesOf, textsOf } from "./texts.ts";
import { leavesOf, propertyOf } from "./values.ts";

export type Metric = { name: string; type: string; labels: string[]; help: string; component: string };
export type Metrics = { metrics: Metric[]; problems: string[] };

const TYPES = new Set(["Counter", "Gauge", "Histogram", "Summary"]);

/** Every metric that the code creates with prom-client. */
export function metrics(project: Project): Metrics {
  const result: Metrics = { metrics: [], problems: [] };
  for (const source of project.sources) {
    for (const node of source.nodes) {
      if (node.type !== "NewExpression" || node.callee.type !== "Identifier") continue;
      const imported = source.imports.get(node.callee.name);
      if (imported?.from === "prom-client" && TYPES.has(imported.name))
        readMetric(project, source, node, imported.name.toLowerCase(), result);
    }
  }
  return result;
}

function readMetric(
  project: Project,
  source: Source,
  node: NewExpression,
  type: string,
  result: Metrics,
): void {
  const part = (name: string, scope: Scope): Leaves => {
    const [options] = node.arguments;
    const none = { leaves: [], open: [] };
    if (options?.type !== "ObjectExpression") return none;
    return propertyOf(project, options, name, scope) ?? none;
  };
  for (const scope of scopesOf(project, scopeOf(source, node), (each) =>
    openIn(project, part("name", each)),
  )) {
    const named = part("name", scope);
    const { texts, unknown } = textsOf(project, named.leaves);
    if (texts.length === 0 || unknown.length > 0 || openIn(project, named).length > 0)
      result.problems.push(`${positionOf(source, node)}: the name of this metric cannot be known`);
    const labels = part("labelNames", scope).leaves.flatMap((leaf) =>
      leaf.node.type === "ArrayExpression"
        ? leaf.node.elements.flatMap((each) =>
            each === null ? [] : textsOf(project, leavesOf(project, each, leaf.scope).leaves).texts,
          )
        : ["…"],
    );
    const help = part("help", scope).leaves.flatMap((leaf) => sentencesOf(project, leaf.node, leaf.scope));
    for (const name of texts)
      result.metrics.push({ name, type, labels, help: help.join(" "), component: source.component });
  }
}
