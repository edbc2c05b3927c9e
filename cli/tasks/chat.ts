import { createInterface } from "node:readline/promises";
import { text as readAll } from "node:stream/consumers";
import type { ApiClient } from "@ngpu/api-client/client";
import { parse } from "@ngpu/api-client/requests";
import { FatalError } from "@ngpu/runtime/errors";
import { failureOf, failureText } from "../shared/failure.ts";
import { json, note, print, safe, shown, styled } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { findWorkspace } from "../workspaces/find.ts";

type Message = { role: "system" | "user" | "assistant"; content: string };
type Options = GlobalOptions & { system?: string; maxTokens?: string; temperature?: string };
type Chat = { settings: Settings; model: string; sampling: Record<string, number>; messages: Message[] };
type Chunk = { choices?: { delta?: { content?: string | null } }[]; error?: { message?: string } };

/** Chats with a workspace: one message, or a conversation in the terminal. */
export async function chat(given: string, message: string | undefined, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const [workspace = "", ...inner] = given.split("/");
  const id = await findWorkspace(partnerApi(settings), workspace);
  const { system, maxTokens, temperature } = options;
  const state: Chat = {
    settings,
    model: [`ws-${id}`, ...inner].join("/"),
    sampling: {
      ...(maxTokens === undefined ? {} : { max_tokens: Number(maxTokens) }),
      ...(temperature === undefined ? {} : { temperature: Number(temperature) }),
    },
    messages: system === undefined ? [] : [{ role: "system", content: system }],
  };
  const isPiped = !process.stdin.isTTY;
  const one = message === "-" || (message === undefined && isPiped) ? await readAll(process.stdin) : message;
  if (one === undefined) return converse(state);
  await untilInterrupted((signal) => answer(state, one, signal));
}

/** Asks for messages until the end of the input, or /exit. Ctrl-C ends an answer. */
async function converse(state: Chat): Promise<void> {
  note("Ctrl-C ends an answer, /reset begins a new conversation, /exit or Ctrl-D ends the chat.");
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  let current = new AbortController();
  reader.on("SIGINT", () => current.abort(new Error("interrupted")));
  reader.setPrompt(`${styled("cyan", "you")} `);
  reader.prompt();
  try {
    for await (const line of reader) {
      current = new AbortController();
      if (line.trim() === "/exit") return;
      if (line.trim() === "/reset") state.messages.splice(state.messages[0]?.role === "system" ? 1 : 0);
      else if (line.trim() !== "") {
        await answer(state, line, current.signal).catch((error: unknown) => {
          print("");
          if (!current.signal.aborted) note(failureText(failureOf(error)));
        });
      }
      reader.prompt();
    }
  } finally {
    reader.close();
  }
}

/** Sends a message and prints the answer as it arrives. An answer that was ended is not part of the conversation. */
async function answer(state: Chat, content: string, signal: AbortSignal): Promise<void> {
  const messages: Message[] = [...state.messages, { role: "user", content }];
  const api = partnerApi(state.settings, signal);
  let text = "";
  for await (const chunk of chunksOf(api, state, messages)) {
    if (state.settings.json) print(json(chunk));
    const piece = chunk.choices?.[0]?.delta?.content ?? "";
    text += piece;
    if (!state.settings.json) process.stdout.write(shown(piece));
  }
  if (!state.settings.json) print("");
  state.messages.splice(0, state.messages.length, ...messages, { role: "assistant", content: text });
}

async function* chunksOf(
  api: ApiClient,
  { model, sampling }: Chat,
  messages: Message[],
): AsyncGenerator<Chunk> {
  const body = { ...sampling, model, stream: true, messages };
  for await (const { data } of api.stream("POST /v1/chat/completions", { body })) {
    if (data === "[DONE]") return;
    const chunk = parse(data) as Chunk | undefined;
    if (chunk?.error === undefined && chunk !== undefined) yield chunk;
    else throw broken(model, chunk?.error?.message ?? safe(data));
  }
}

function broken(model: string, reason: string): FatalError {
  return new FatalError(`${model} sent an error instead of an answer: ${safe(reason)}`, {
    code: "chat_failed",
    hint: "Send the message again; ngpu describe shows the workspace.",
  });
}
