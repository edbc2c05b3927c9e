import type { IncomingMessage } from "node:http";
import { PassThrough, type Readable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import { InputError } from "@ngpu/runtime/errors";

/** Limits of a form, besides those of its file. */
const limits = { files: 1, fields: 20, parts: 22, fieldSize: 4 << 10, headerSize: 16 << 10 };

/** A form whose file is read while it arrives. Fields may come after the file. */
type UploadForm<Result> = { fields: Record<string, string>; filename: string; result: Result };

/**
 * Reads a form with one file.
 *
 * @param take Reads the file's bytes. When it fails, the rest of the form is discarded and the error is thrown.
 * @throws InputError `multipart_invalid` (400), `media_type_unsupported` (415), `client_disconnected`; what `take` throws.
 */
export async function readUpload<Result>(
  request: IncomingMessage,
  take: (bytes: Readable) => Promise<Result>,
): Promise<UploadForm<Result>> {
  const fields: Record<string, string> = {};
  let filename: string | undefined;
  let taken: Promise<Result> | undefined;
  const parser = parserOf(request);
  const ended = Promise.withResolvers<void>();
  const fail = (error: unknown) => ended.reject(error);
  parser.on("field", (name, value, isNameCut, isValueCut) => {
    if (isNameCut || isValueCut) fail(invalid("A field is too long."));
    else fields[name] = value;
  });
  parser.on("file", (name, stream, given) => {
    if (name !== "file" || taken !== undefined) return fail(invalid("It has another file than `file`."));
    filename = given ?? "";
    // An end without the last boundary is an error of the parser, and of this stream.
    const bytes = new PassThrough();
    // It may fail before it is read.
    bytes.on("error", () => undefined);
    stream.on("error", (error: Error) => bytes.destroy(error));
    parser.on("error", (error) => bytes.destroy(error as Error));
    ended.promise.catch((error: Error) => bytes.destroy(error));
    stream.pipe(bytes);
    taken = take(bytes);
    taken.catch(fail);
  });
  for (const limit of ["filesLimit", "fieldsLimit", "partsLimit"] as const)
    parser.on(limit, () => fail(invalid("It has too many fields or files.")));
  parser.on("error", (error) => fail(invalid((error as Error).message, error)));
  parser.once("finish", () => ended.resolve());
  request.once("aborted", () => fail(disconnected()));
  request.once("error", () => fail(disconnected()));
  request.pipe(parser);
  try {
    await ended.promise;
    if (taken === undefined || filename === undefined) throw invalid("It has no `file`.");
    return { fields, filename, result: await taken };
  } catch (error) {
    request.unpipe(parser);
    request.resume();
    // What was stored of it is dropped by its own failure, or by the caller.
    await taken?.catch(() => undefined);
    throw error;
  }
}

function parserOf(request: IncomingMessage) {
  const type = request.headers["content-type"] ?? "";
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw new InputError("The body is no form with a file.", {
      code: "media_type_unsupported",
      status: 415,
      hint: "Send it with `Content-Type: multipart/form-data`, as OpenAI's client does.",
    });
  }
  try {
    return new Busboy({ headers: { ...request.headers, "content-type": type }, limits });
  } catch (error) {
    throw invalid((error as Error).message, error);
  }
}

function invalid(what: string, cause?: unknown): InputError {
  return new InputError(`The form is not valid: ${what}`, {
    code: "multipart_invalid",
    hint: "Send the fields `file` and `purpose`, as OpenAI's client does.",
    cause,
  });
}

function disconnected(): InputError {
  return new InputError("The client disconnected before the end of the file.", {
    code: "client_disconnected",
    hint: "Send the file again.",
  });
}
