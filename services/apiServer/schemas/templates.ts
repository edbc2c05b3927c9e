import { z } from "zod";

export const templateName = z.string().max(63).meta({ description: "Name of the template" });

export const workspaceFields = z
  .record(z.string(), z.unknown())
  .meta({ description: "Fields of NewWorkspace", example: { name: "chat", replicas: 2 } });

export const templateList = z.object({
  templates: z.array(
    z
      .object({
        name: z.string(),
        title: z.string(),
        description: z.string(),
        workspace: workspaceFields,
      })
      .meta({ id: "Template" }),
  ),
});
