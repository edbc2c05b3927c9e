import type { IncomingMessage } from "node:http";
import { InputError } from "@ngpu/runtime/errors";
import express, { type RequestHandler } from "express";

const jsonTypes = ["application/json", "application/*+json"];
/** Deepest nesting of a body. Deeper values cannot be serialized again. */
const maxDepth = 500;

/**
 * Reads a JSON body.
 *
 * @param limit Maximum size, in bytes or such as `256kb`.
 * @returns Handlers that pass InputError `media_type_unsupported` (415) or `json_invalid` (400), or the parser's error.
 */
export function readJson(limit: string | number): RequestHandler[] {
  return [requireJson, express.json({ limit, type: jsonTypes, verify: keepText }), requireShallow];
}

type WithText = IncomingMessage & { bodyText?: Buffer };

/** Keeps the body's own bytes, for routes that pass them on. */
function keepText(request: WithText, _response: unknown, bytes: Buffer, charset: string): void {
  if (charset.toLowerCase() === "utf-8") request.bodyText = bytes;
}

/** The bytes of a request's body, decoded; undefined when they are not UTF-8. */
export function bodyTextOf(request: IncomingMessage): Buffer | undefined {
  return (request as WithText).bodyText;
}

const requireJson: RequestHandler = (request, _response, next) => {
  const isEmpty = request.headers["content-length"] === "0";
  if (isEmpty || request.is(jsonTypes) !== false) return next();
  throw new InputError("The body is not JSON.", {
    code: "media_type_unsupported",
    status: 415,
    hint: "Send it with `Content-Type: application/json`.",
  });
};

const requireShallow: RequestHandler = (request, _response, next) => {
  let level: unknown[] = [request.body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) {
      throw new InputError(`The body is nested more than ${maxDepth} levels deep.`, {
        code: "json_invalid",
        hint: "Send a body with fewer levels.",
      });
    }
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null ? Object.values(value) : [],
    );
  }
  next();
};
