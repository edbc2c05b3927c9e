import { z } from "zod";

/** Text of at most `max` characters that Postgres can store: valid Unicode without NUL. */
export const storableText = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => text.isWellFormed() && !text.includes("\0"), "has NUL or a half of a character");
