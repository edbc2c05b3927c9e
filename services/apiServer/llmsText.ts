import type { Endpoint } from "./endpoint.ts";

const beginning = `# ngpu partner API

> Publish Docker workspaces on the compute nodes of a marketplace, run tasks on them, and check every payment and reward yourself.

Send an API key as \`Authorization: Bearer ngpu_…\`. Amounts are decimal strings of token units (1e-18 NGPU). Errors have a stable \`code\` and a \`hint\`. An Idempotency-Key makes a repeated POST safe. OpenAI's clients work with the base URL below \`/v1\`; a workspace's id or name is the model.
`;

/**
 * The API in a form for language models (llmstxt.org): what it is, where its documentation is, and every operation.
 *
 * @param publicUrl URL of the API.
 */
export function llmsText(endpoints: readonly Endpoint[], publicUrl: string): string {
  const base = publicUrl.replace(/\/+$/, "");
  const documents = [
    `- [OpenAPI 3.1](${base}/openapi.json): every operation with its parameters, bodies, responses and errors`,
    `- [Documentation](${base}/docs/): the same as a page`,
    `- [Health](${base}/healthz): whether the API can serve calls`,
  ];
  const sections = [...Map.groupBy(endpoints, ({ tag }) => tag)].map(
    ([tag, own]) => `## ${tag}\n\n${own.map((one) => lineOf(one, base)).join("\n")}\n`,
  );
  return [beginning, `## Documents\n\n${documents.join("\n")}\n`, ...sections].join("\n");
}

function lineOf({ method, path, summary, access }: Endpoint, base: string): string {
  const template = path.replaceAll(/:(\w+)/g, "{$1}");
  const key = access === "partner" ? "" : " (no key)";
  return `- [${method.toUpperCase()} ${template}](${base}${template}): ${summary}${key}`;
}
