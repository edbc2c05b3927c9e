import { z } from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { plainSuccess, problemRef } from "./openapiResponses.ts";

const healthBody = z.object({ ok: z.boolean().meta({ description: "Whether the database answers" }) });
const tag = "Service";

/** Error statuses of the routes below. */
export const serviceErrors = [400, 404, 429, 500];

const notModified = { "304": plainSuccess("Not modified, when the request has If-None-Match", undefined) };
const errors = (...statuses: number[]) =>
  Object.fromEntries(statuses.map((status) => [`${status}`, problemRef(status)]));

const file = (operationId: string, summary: string, type: string) => ({
  get: {
    operationId,
    tags: [tag],
    summary,
    security: [],
    responses: {
      "200": plainSuccess(summary, { [type]: { schema: { type: "string" as const } } }),
      ...notModified,
      ...errors(...(type === "text/html" ? [400, 500] : [400, 404, 429, 500])),
    },
  },
});

/** The routes that are no endpoints: health, documentation, and what operators install. */
export const servicePaths: ZodOpenApiPathsObject = {
  "/healthz": {
    get: {
      operationId: "getHealthz",
      tags: [tag],
      summary: "Show whether the API can serve calls",
      security: [],
      responses: {
        "200": plainSuccess("The API can serve calls", { "application/json": { schema: healthBody } }),
        ...notModified,
        ...errors(400),
        "503": plainSuccess("The database does not answer", { "application/json": { schema: healthBody } }),
      },
    },
  },
  "/openapi.json": {
    get: {
      operationId: "getOpenapiJson",
      tags: [tag],
      summary: "Get this document",
      security: [],
      responses: {
        "200": plainSuccess("This document", {
          "application/json": { schema: z.looseObject({ openapi: z.string() }) },
        }),
        ...notModified,
        ...errors(400),
      },
    },
  },
  "/llms.txt": file("getLlmsTxt", "Get every operation as a text for language models", "text/plain"),
  "/docs": file("getDocs", "Read this document as a page", "text/html"),
  "/install_mcNode.sh": file("getInstallMcNode", "Get the script that installs a compute node", "text/plain"),
  "/install_measure.sh": file(
    "getInstallMeasure",
    "Get the script that installs a measurement node",
    "text/plain",
  ),
};
