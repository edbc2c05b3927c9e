import { RequestError } from "../shared/http.ts";

/** A validated completion request, with defaults applied. */
export type CompletionRequest = {
  /** Texts of the conversation, oldest first. */
  messages: string[];
  maxTokens: number;
  temperature: number;
  topP: number;
  /** Undefined: each call gives a different reply. */
  seed: number | undefined;
  stop: string[];
  stream: boolean;
  includeUsage: boolean;
};

type Fields = Record<string, unknown>;

export const defaultMaxTokens = 256;
export const highestMaxTokens = 4096;

const roles = ["system", "developer", "user", "assistant", "tool"];
/** Fields that change the format of the response. This model does not support them; ignoring them would mislead. */
const unsupported = ["tools", "functions", "logprobs", "top_logprobs", "audio", "prediction"];

/**
 * Validates the body of POST /v1/chat/completions.
 *
 * @throws RequestError 400 with the field, or 404 for an unknown model.
 */
export function parseCompletion(body: unknown, model: string): CompletionRequest {
  if (!isFields(body)) throw invalid("The body must be a JSON object.", null);
  requireModel(body, model);
  requireSupported(body, model);
  number(body, "n", { min: 1, max: 1, integer: true });
  const limit = { min: 1, max: highestMaxTokens, integer: true };
  const newer = number(body, "max_completion_tokens", limit);
  const older = number(body, "max_tokens", limit);
  const options = streamOptionsOf(body);
  return {
    messages: messagesOf(body.messages),
    maxTokens: newer ?? older ?? defaultMaxTokens,
    temperature: number(body, "temperature", { min: 0, max: 2 }) ?? 1,
    topP: number(body, "top_p", { min: 0, max: 1 }) ?? 1,
    seed: number(body, "seed", { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, integer: true }),
    stop: stopOf(body.stop),
    stream: boolean(body, "stream"),
    includeUsage: boolean(options, "include_usage", "stream_options.include_usage"),
  };
}

function requireModel(body: Fields, model: string): void {
  if (isSet(body.model) && typeof body.model !== "string") throw invalid("model must be a string.", "model");
  if (isSet(body.model) && body.model !== model) {
    throw new RequestError(
      404,
      "model_not_found",
      `The model is ${model}; no other model is available.`,
      "Set model to the id that GET /v1/models lists, or omit it.",
      "model",
    );
  }
}

function requireSupported(body: Fields, model: string): void {
  for (const field of unsupported) {
    if (isSet(body[field]) && body[field] !== false) {
      throw new RequestError(
        400,
        "unsupported_parameter",
        `${field} is not supported by ${model}.`,
        `Omit ${field}.`,
        field,
      );
    }
  }
  if (
    isSet(body.response_format) &&
    !(isFields(body.response_format) && body.response_format.type === "text")
  ) {
    throw new RequestError(
      400,
      "unsupported_value",
      "response_format must be text.",
      'Omit response_format, or set it to {"type": "text"}.',
      "response_format",
    );
  }
}

function streamOptionsOf(body: Fields): Fields {
  const options = isSet(body.stream_options) ? body.stream_options : {};
  if (!isFields(options)) throw invalid("stream_options must be an object.", "stream_options");
  if (isSet(body.stream_options) && !boolean(body, "stream")) {
    throw invalid("stream_options is allowed only with stream: true.", "stream_options");
  }
  return options;
}

function messagesOf(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalid("messages must be a non-empty array.", "messages");
  return value.map((message: unknown, i) => {
    const at = `messages[${i}]`;
    if (!isFields(message)) throw invalid(`${at} must be an object.`, at);
    if (typeof message.role !== "string" || !roles.includes(message.role)) {
      throw invalid(`${at}.role must be one of ${roles.join(", ")}.`, `${at}.role`);
    }
    return contentOf(message, at);
  });
}

function contentOf({ content, role }: Fields, at: string): string {
  if (typeof content === "string") return content;
  // An assistant message with a tool call has no content.
  if (!isSet(content) && role === "assistant") return "";
  if (!Array.isArray(content))
    throw invalid(`${at}.content must be a string or an array of parts.`, `${at}.content`);
  const texts = content.map((part: unknown, i) => {
    if (isFields(part) && part.type === "text" && typeof part.text === "string") return part.text;
    throw invalid(`${at}.content[${i}] must be a part of type text.`, `${at}.content[${i}]`);
  });
  return texts.join("\n");
}

function stopOf(value: unknown): string[] {
  if (!isSet(value)) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const texts = list.filter((item) => typeof item === "string" && item.length > 0 && item.length <= 256);
  if (texts.length !== list.length || list.length > 4) {
    throw invalid("stop must be a string, or up to 4 of them, of 1 to 256 characters.", "stop");
  }
  return texts as string[];
}

function number(
  fields: Fields,
  name: string,
  { min, max, integer = false }: { min: number; max: number; integer?: boolean },
): number | undefined {
  const value = fields[name];
  if (!isSet(value)) return undefined;
  const fits =
    typeof value === "number" && value >= min && value <= max && (!integer || Number.isInteger(value));
  if (!fits) throw invalid(`${name} must be a ${integer ? "whole " : ""}number from ${min} to ${max}.`, name);
  return value;
}

function boolean(fields: Fields, name: string, path = name): boolean {
  const value = fields[name];
  if (isSet(value) && typeof value !== "boolean") throw invalid(`${path} must be true or false.`, path);
  return value === true;
}

/** OpenAI's clients send null for omitted fields. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(message: string, field: string | null): RequestError {
  const hint = "Correct the field named in param, or omit it if it is optional.";
  return new RequestError(400, "invalid_value", message, hint, field);
}
