import type { RegistryCode } from "../answers.ts";

/** A request that is refused; the router answers with it. */
export class PushRefusal extends Error {
  readonly status: number;
  readonly code: RegistryCode;
  readonly hint: string;
  /** Headers of the answer. */
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    { code, message, hint }: { code: RegistryCode; message: string; hint: string },
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.name = "PushRefusal";
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.headers = headers;
  }
}
