import { createInterface } from "node:readline";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { answerLine } from "./serve.ts";
import { type OpenApiDocument, toolsOf } from "./tools.ts";

/** Serves the Model Context Protocol on stdin and stdout until stdin ends. Requests are answered as they are done. */
export async function serveMcp(options: GlobalOptions & { readOnly: boolean }): Promise<void> {
  const api = partnerApi(settingsOf(options));
  const tools = toolsOf(await api.get<OpenApiDocument>("/openapi.json"), options.readOnly);
  const running = new Set<Promise<void>>();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    const done = answerLine({ api, tools }, line).then((reply) => {
      if (reply !== undefined) process.stdout.write(`${reply}\n`);
      running.delete(done);
    });
    running.add(done);
  }
  await Promise.all(running);
}
