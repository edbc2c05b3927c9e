import { InputError } from "@ngpu/runtime/errors";
import type { RequestHandler } from "express";
import { ipKeyGenerator } from "express-rate-limit";
import { partnerIn } from "./access.ts";

/** Bytes of the bodies of open requests: of one caller, and of all in a process. */
const bodyLimits = { caller: 128 << 20, process: 512 << 20 };

/**
 * Bounds the memory that bodies of open requests take. A caller may have its own share, and never more than what the others have
 * left: whoever fills the memory leaves room for the first requests of everyone else.
 */
export function createBodyBudget(limits = bodyLimits) {
  const held = new Map<string, number>();
  let all = 0;
  const add = (caller: string, bytes: number) => {
    all += bytes;
    const left = (held.get(caller) ?? 0) + bytes;
    if (left === 0) held.delete(caller);
    else held.set(caller, left);
  };
  /** Counts a body from its announcement to the end of the response. One without a length counts as the largest. */
  return (largest: number): RequestHandler =>
    (request, response, next) => {
      const {
        "content-length": length,
        "transfer-encoding": coding,
        "content-encoding": compression,
      } = request.headers;
      const isOpen = coding !== undefined || compression !== undefined;
      const bytes = isOpen ? largest : Math.min(largest, Number(length ?? 0));
      const caller = partnerIn(response)?.wallet ?? ipKeyGenerator(request.ip ?? "");
      const limit = Math.min(limits.caller, limits.process - all);
      if (bytes > 0 && (held.get(caller) ?? 0) + bytes > limit) throw exceeded(limit);
      add(caller, bytes);
      response.once("close", () => add(caller, -bytes));
      next();
    };
}

/** Counts the bodies of open requests. */
export type BodyBudget = ReturnType<typeof createBodyBudget>;

function exceeded(limitBytes: number): InputError {
  return new InputError("The bodies of your open requests are too large together.", {
    code: "bodies_too_large",
    status: 429,
    hint: "Wait until some of your requests have ended, send fewer at the same time, or send content-length.",
    details: { limitBytes },
  });
}
