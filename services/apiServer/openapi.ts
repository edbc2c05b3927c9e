import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import { apiVersion } from "./deps.ts";
import type { Endpoint } from "./endpoint.ts";
import { problemBody } from "./schemas/common.ts";
import { openAiError } from "./schemas/tasks.ts";

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
      description:
        "Publish Docker workspaces on the market's nodes and run tasks on them. Amounts are decimal strings of token units (1e-18 NGPU). Every response has a header x-request-id, and every error a field request_id with the same value. Send x-request-id (1 to 128 letters, digits and ._:-) to choose it; the container of a task gets it too.",
    },
    servers: [{ url: publicUrl }],
    components: {
      securitySchemes: { apiKey: { type: "http", scheme: "bearer", bearerFormat: "ngpu_<id>_<secret>" } },
    },
    paths,
  });
}

function operation(one: Endpoint): ZodOpenApiOperationObject {
  const error = one.openAiErrors === true ? openAiError : problemBody;
  const errorType = one.openAiErrors === true ? "application/json" : "application/problem+json";
  const content = { "application/json": { schema: one.answer } };
  const stream =
    one.streams === undefined
      ? {}
      : {
          [one.streams.contentType]: {
            schema: { type: "string" as const, description: one.streams.description },
          },
        };
  const hasParameters = one.params ?? one.query ?? one.headers;
  return {
    operationId: `${one.method}${one.path.replaceAll(/[^a-zA-Z0-9]+(\w)/g, (_all, letter: string) => letter.toUpperCase())}`,
    tags: [one.tag],
    summary: one.summary,
    ...(one.description === undefined ? {} : { description: one.description }),
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
      : { requestBody: { required: true, content: { "application/json": { schema: one.body } } } }),
    responses: {
      [String(one.status ?? 200)]: { description: "Success", content: { ...content, ...stream } },
      default: { description: "Error", content: { [errorType]: { schema: error } } },
    },
  };
}
