import { readFileSync } from "node:fs";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { z } from "zod";
import { newWorkspace } from "./schemas/newWorkspace.ts";

/** A workspace that anyone can publish with one call. */
export type Template = {
  name: string;
  title: string;
  description: string;
  /** Fields of POST /v1/workspaces, as written in the file. */
  workspace: Record<string, unknown>;
};

const file = z.strictObject({
  templates: z.array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "is not 1 to 63 of a–z 0–9 -"),
      title: z.string().min(1).max(100),
      description: z.string().min(1).max(2_000),
      workspace: z.record(z.string(), z.unknown()).superRefine((fields, context) => {
        const { error } = newWorkspace.safeParse(fields);
        for (const issue of error?.issues ?? [])
          context.addIssue({ code: "custom", path: issue.path, message: issue.message });
      }),
    }),
  ),
});

/**
 * Reads the market's templates.
 *
 * @param path Undefined: there are none.
 * @throws FatalError `templates_invalid`.
 */
export function readTemplates(path: string | undefined): Template[] {
  if (path === undefined) return [];
  const fail = (what: string, cause?: unknown) =>
    new FatalError(`The file of templates ${path} ${what}.`, {
      code: "templates_invalid",
      hint: "services/apiServer/README.md shows the form of the file that TEMPLATES_FILE names.",
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw fail(`cannot be read: ${messageOf(cause)}`, cause);
  }
  const parsed = file.safeParse(value);
  if (!parsed.success) throw fail(`is not valid: ${z.prettifyError(parsed.error)}`);
  const { templates } = parsed.data;
  if (new Set(templates.map(({ name }) => name)).size < templates.length) throw fail("has a name twice");
  return templates;
}
