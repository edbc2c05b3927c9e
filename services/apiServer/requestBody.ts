import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import express, { type RequestHandler } from "express";
import { fieldOf } from "./multipart.ts";
import { shapeOf } from "./payload.ts";

const jsonTypes = ["application/json", "application/*+json"];
/** Deepest nesting of a body. Deeper values cannot be serialized again. */
const maxDepth = 500;
/** Most members of a body's object. No endpoint has nearly as many, and each one that is not known is an error of its own. */
const maxMembers = 1_000;

/**
 * Reads a JSON body.
 *
 * @param limit Maximum size in bytes.
 * @returns Handlers that pass InputError `media_type_unsupported` (415), `body_too_large` (413) or `json_invalid` (400), or the
 *   parser's error.
 */
export function readJson(limit: number): RequestHandler[] {
  const parse = express.json({ limit, type: jsonTypes, strict: false, verify: checkText });
  return [requireJson, atOnce(limit, parse), requireObject];
}

/**
 * Reads a form with files. Its bytes are kept, and of its fields the body has `model`.
 *
 * @param limit Maximum size in bytes.
 * @returns Handlers that pass InputError `media_type_unsupported` (415), `body_too_large` (413) or `multipart_invalid` (400).
 */
export function readForm(limit: number): RequestHandler[] {
  const parse = express.raw({ limit, type: formType });
  return [requireForm, atOnce(limit, parse), takeModel];
}

const formType = "multipart/form-data";

const requireForm: RequestHandler = (request, _response, next) => {
  if (request.is(formType) !== false) return next();
  throw new InputError("The body is no form with files.", {
    code: "media_type_unsupported",
    status: 415,
    hint: `Send it with \`Content-Type: ${formType}\`, as OpenAI's client does.`,
  });
};

const takeModel: RequestHandler = (request, _response, next) => {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  (request as WithText).bodyText = bytes;
  request.body = { model: fieldOf(bytes, request.headers["content-type"] ?? "", "model") };
  next();
};

type WithText = IncomingMessage & { bodyText?: Buffer };

/** Checks the text before it is parsed, and keeps its bytes for routes that pass them on. */
function checkText(request: WithText, _response: unknown, bytes: Buffer, charset: string): void {
  if (charset.toLowerCase() !== "utf-8") throw notJson();
  if (!isUtf8(bytes)) throw invalid("The body is not UTF-8.", "Encode the JSON in UTF-8.");
  const { depth, members } = shapeOf(bytes);
  if (depth > maxDepth) {
    throw invalid(`The body is nested more than ${maxDepth} levels deep.`, "Send a body with fewer levels.");
  }
  if (members > maxMembers) {
    throw invalid(`The body has more than ${maxMembers} members.`, "Send the members that /docs lists.");
  }
  request.bodyText = bytes;
}

/** The bytes of a request's body, decompressed; undefined when it has none. */
export function bodyTextOf(request: IncomingMessage): Buffer | undefined {
  return (request as WithText).bodyText;
}

const requireJson: RequestHandler = (request, _response, next) => {
  const isEmpty = request.headers["content-length"] === "0";
  if (isEmpty || request.is(jsonTypes) !== false) return next();
  throw notJson();
};

/** The parser's own check says that `null` is not valid JSON. */
const requireObject: RequestHandler = (request, _response, next) => {
  const body: unknown = request.body;
  if (body === undefined || (typeof body === "object" && body !== null)) return next();
  throw invalid("The body is JSON, but not an object.", "Send a JSON object.");
};

/**
 * Refuses a body as soon as it is longer than the limit. The parser alone would first read the rest, however long and slow. The
 * rest is discarded after the answer.
 */
function atOnce(limit: number, parse: RequestHandler): RequestHandler {
  return (request, response, next) => {
    let received = 0;
    const count = (part: Buffer) => {
      received += part.length;
      if (received > limit) done(tooLarge(limit));
    };
    const done = (error?: unknown) => {
      request.off("data", count);
      const first = next;
      next = () => undefined;
      if (error === undefined) first();
      else first(decodingError(request, error));
    };
    if (Number(request.headers["content-length"] ?? 0) > limit) return done(tooLarge(limit));
    request.on("data", count);
    parse(request, response, done);
  };
}

/** An error of the decompression has no type of its own. */
function decodingError(request: IncomingMessage, error: unknown): unknown {
  const coding = request.headers["content-encoding"] ?? "identity";
  const isKnown = error instanceof InputError || !(error instanceof Error) || "type" in error;
  if (isKnown || coding === "identity") return error;
  return new InputError(`The body is not valid ${coding}: ${messageOf(error)}.`, {
    code: "body_encoding_invalid",
    hint: "Send the body in the coding that content-encoding names, or uncompressed without this header.",
  });
}

function notJson(): InputError {
  return new InputError("The body is not JSON in UTF-8.", {
    code: "media_type_unsupported",
    status: 415,
    hint: "Send it with `Content-Type: application/json`.",
  });
}

function invalid(message: string, hint: string): InputError {
  return new InputError(message, { code: "json_invalid", hint });
}

function tooLarge(limitBytes: number): InputError {
  return new InputError(`The body is larger than ${limitBytes} bytes.`, {
    code: "body_too_large",
    status: 413,
    hint: "Send a shorter body.",
    details: { limitBytes },
  });
}
