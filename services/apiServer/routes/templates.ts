import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, idempotencyHeader, readPart } from "../endpoint.ts";
import { newWorkspace } from "../schemas/newWorkspace.ts";
import { templateList, templateName, workspaceFields } from "../schemas/templates.ts";
import { publishAnswer } from "../schemas/workspaces.ts";
import { publishWorkspace } from "./publish.ts";

export function templateRoutes(deps: ApiDeps): Endpoint[] {
  return [list(deps), publish(deps)];
}

const list = ({ templates }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/templates",
      tag: "Workspaces",
      summary: "List the templates of this market",
      description: "Each is a workspace that one call publishes.",
      access: "public",
      answer: templateList,
    },
    async () => ({ templates: [...templates] }),
  );

const publish = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/templates/:name/workspaces",
      writes: true,
      tag: "Workspaces",
      summary: "Publish a workspace by a template",
      description:
        "The fields of the body replace those of the template; all are those of POST /v1/workspaces. Nothing else differs from it.",
      access: "partner",
      params: z.object({ name: templateName }),
      headers: idempotencyHeader,
      body: workspaceFields,
      status: 201,
      errors: [404, 409],
      answer: publishAnswer,
    },
    async ({ params: { name }, body, ...call }) => {
      const template = deps.templates.find((one) => one.name === name);
      if (template !== undefined) {
        const fields = readPart("body", newWorkspace, { ...template.workspace, ...body });
        return publishWorkspace(deps, { ...call, body: fields });
      }
      throw new InputError(`There is no template ${name}.`, {
        code: "template_not_found",
        status: 404,
        hint: "GET /v1/templates lists the templates.",
      });
    },
  );
