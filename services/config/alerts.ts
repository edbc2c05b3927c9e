import { z } from "zod";

/** The webhook of Prometheus' Alertmanager, version 4, as far as it is read. */
export const alertWebhook = z.object({
  alerts: z
    .array(
      z.object({
        status: z.enum(["firing", "resolved"]),
        labels: z.record(z.string(), z.string()).default({}),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
    )
    .max(10_000),
});

/** Why alerts pause a rollout. A resolved alert resumes nothing: a person looks first. @returns undefined when none is firing. */
export function alertReason({ alerts }: z.output<typeof alertWebhook>): string | undefined {
  const firing = alerts.find(({ status }) => status === "firing");
  if (firing === undefined) return undefined;
  const summary = firing.annotations.summary ?? firing.annotations.description;
  return `Alert ${firing.labels.alertname ?? "without a name"}${summary === undefined ? "" : `: ${summary}`}`.slice(
    0,
    500,
  );
}
