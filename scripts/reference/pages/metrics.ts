import { type Metric, metrics } from "../code/metrics.ts";
import { code, codes, compare, item, pageHead, plain, sections } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `The metrics of each program at \`/metrics\`, in Prometheus' format. Every metric also has the label \`service\`. Every
program also serves the process metrics of prom-client (\`process_…\`, \`nodejs_…\`).`;

export const metricsPage: PageOf = ({ project }) => {
  const { metrics: found, problems } = metrics(project);
  return {
    text: pageHead("Metrics", HEAD) + sections(found, ({ component }) => component, listOf),
    problems,
  };
};

function listOf(found: Metric[]): string {
  return found
    .toSorted((a, b) => compare(a.name, b.name))
    .map(({ name, type, labels, help }) => {
      const by = labels.length === 0 ? "" : ` by ${codes(labels)}`;
      return item(`${code(name)} (${type}${by}): ${plain(help)}.`);
    })
    .join("\n");
}
