import { runUntilSignal } from "../shared/serve.ts";
import { chatHandler } from "./app.ts";
import { chatConfig } from "./env.ts";
import { loadModel, modelId } from "./text.ts";

await runUntilSignal("chat", () => {
  const { port, ...limits } = chatConfig(process.env);
  const created = Math.floor(Date.now() / 1000);
  return { port, handler: chatHandler({ ...loadModel(), ...limits, modelId, created }) };
});
