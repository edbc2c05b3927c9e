// Publishes a workspace, waits until it runs, runs a task on it and deletes it:
//   npx node partner-docs/examples/run.ts --api http://127.0.0.1:8080 --key ngpu_… --image registry/name@sha256:…
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createApiClient } from "@ngpu/api-client/client";
import { runExample } from "./runExample.ts";

type Task = {
  status: string;
  nodeId: number;
  ms: number;
  result: unknown;
  error: { message: string } | null;
};

await runExample(async () => {
  const { values } = parseArgs({
    options: { api: { type: "string" }, key: { type: "string" }, image: { type: "string" } },
  });
  if (values.api === undefined || values.key === undefined || values.image === undefined) {
    throw new Error("Usage: run.ts --api <url> --key <API key> --image <reference@sha256:…>");
  }
  const api = createApiClient({ url: values.api, apiKey: values.key });

  const { id } = await api.post<{ id: string }>("/v1/workspaces", {
    name: `example-${randomUUID().slice(0, 8)}`,
    image: values.image,
    ports: [8080],
    cpu: 0.5,
    memoryMib: 512,
    diskGib: 1,
    maxPricePerSecond: "10000000000000",
  });
  process.stdout.write(`Workspace ${id} is published.\n`);

  for (let status = ""; status !== "running"; ) {
    const workspace = await api.get<{ status: string }>(`/v1/workspaces/${id}`);
    if (workspace.status !== status) process.stdout.write(`Its status is ${workspace.status}.\n`);
    status = workspace.status;
    if (status === "failed") throw new Error("The workspace failed; see GET /v1/workspaces/<id>.");
    await pause(500);
  }

  const task = await api.post<Task>("/v1/tasks", {
    workspaceId: id,
    path: "/v1/chat/completions",
    input: { messages: [{ role: "user", content: "What does a compute node do?" }] },
  });
  process.stdout.write(
    `Node ${task.nodeId} answered in ${task.ms} ms:\n${JSON.stringify(task.result, null, 2)}\n`,
  );

  await api.delete(`/v1/workspaces/${id}`);
  process.stdout.write("The workspace is deleted.\n");
  if (task.status !== "succeeded") throw new Error(`The task failed: ${task.error?.message ?? task.status}`);
});
