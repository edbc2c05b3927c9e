import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import { apiVersion } from "./deps.ts";
import type { Endpoint } from "./endpoint.ts";
import { errorComponents, headerComponents, responsesOf } from "./openapiResponses.ts";
import { serviceErrors, servicePaths } from "./openapiService.ts";
import { scopesOf } from "./scopes.ts";

const description = `Publish Docker workspaces on the market's nodes and run tasks on them. Amounts are decimal strings of token units (1e-18 NGPU).

Every response has a header \`x-request-id\`, and every error a field \`request_id\` with the same value. Send \`x-request-id\` (1 to 128 letters, digits and \`._:-\`) to choose it; the container of a task gets it too.

Errors are problems of RFC 9457; those of OpenAI's paths have OpenAI's format. A path that is not listed answers 404, and a method that a path does not have 405 with \`allow\`.`;

/** The tags of the endpoints, in the order of the documentation. */
const tagTexts: Record<string, string> = {
  Accounts: "Sign in with a wallet; API keys, balance and its history",
  Payments: "Deposits and authorizations that a wallet signs, and test tokens",
  Workspaces: "Publish, update, start, stop and delete workspaces",
  Tasks: "Run tasks on workspaces, and read their results and receipts",
  "OpenAI-compatible": "OpenAI's endpoints, served by workspaces",
  Webhooks: "Events of tasks and workspaces, sent to your URLs",
  Market: "Nodes, measurements, placements and the settings of the market",
  Rewards: "Reward epochs, and what accounts can claim",
  Service: "Health, documentation, and what operators install",
};

/** Generates the OpenAPI 3.1 document from the schemas that validate the calls. */
export function openApiDocument(endpoints: Endpoint[], publicUrl: string) {
  const paths: ZodOpenApiPathsObject = {};
  for (const one of endpoints) {
    const path = one.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [one.method]: operation(one) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: "ngpu partner API",
      version: apiVersion,
      description,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: publicUrl.replace(/\/+$/, "") }],
    tags: Object.entries(tagTexts).map(([name, text]) => ({ name, description: text })),
    components: {
      securitySchemes: { apiKey: { type: "http", scheme: "bearer", bearerFormat: "ngpu_<id>_<secret>" } },
      headers: headerComponents,
      responses: errorComponents(endpoints, serviceErrors),
    },
    paths: { ...paths, ...servicePaths },
  });
}

/** The description, with the scopes of which a key needs one. */
function descriptionOf(one: Endpoint): { description?: string } {
  const scopes = one.access === "partner" ? [`Scope: ${scopesOf(one).join(" or ")}.`] : [];
  const texts = [...(one.description === undefined ? [] : [one.description]), ...scopes];
  return texts.length === 0 ? {} : { description: texts.join("\n\n") };
}

const bodyTypeOf = ({ isForm }: Endpoint) => (isForm === true ? "multipart/form-data" : "application/json");

function operation(one: Endpoint): ZodOpenApiOperationObject {
  const hasParameters = one.params ?? one.query ?? one.headers;
  return {
    operationId: `${one.method}${one.path.replaceAll(/[^a-zA-Z0-9]+(\w)/g, (_all, letter: string) => letter.toUpperCase())}`,
    tags: [one.tag],
    summary: one.summary,
    ...descriptionOf(one),
    security: one.access === "partner" ? [{ apiKey: [] }] : [],
    ...(hasParameters === undefined
      ? {}
      : {
          requestParams: {
            ...(one.params === undefined ? {} : { path: one.params }),
            ...(one.query === undefined ? {} : { query: one.query }),
            ...(one.headers === undefined ? {} : { header: one.headers }),
          },
        }),
    ...(one.body === undefined
      ? {}
      : { requestBody: { required: true, content: { [bodyTypeOf(one)]: { schema: one.body } } } }),
    responses: responsesOf(one),
  };
}
