import type { components, paths } from "./generated/schema.ts";

/** The documents of the API by name, such as `Schema<"Workspace">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

type Method = "get" | "post" | "delete";
type Has<Path extends keyof paths, M extends Method> = [paths[Path][M]] extends [undefined] ? false : true;

/** Every operation of the API, such as `GET /v1/workspaces/{id}`. */
export type Route = {
  [Path in keyof paths]: {
    [M in Method]: Has<Path, M> extends true ? `${Uppercase<M>} ${Path}` : never;
  }[Method];
}[keyof paths];

type OperationOf<Name extends Route> = Name extends `${infer M} ${infer Path}`
  ? Path extends keyof paths
    ? Lowercase<M> extends Method
      ? NonNullable<paths[Path][Lowercase<M>]>
      : never
    : never
  : never;

type ParametersOf<Operation, Where extends string> = Operation extends { parameters: infer Parameters }
  ? Where extends keyof Parameters
    ? NonNullable<Parameters[Where]>
    : never
  : never;

type BodyOf<Operation> = Operation extends {
  requestBody: { content: { "application/json": infer Body } };
}
  ? Body
  : Operation extends { requestBody: { content: { "multipart/form-data": unknown } } }
    ? FormData
    : never;

type JsonOf<Response> = Response extends { content: { "application/json": infer Json } } ? Json : never;

/** The JSON body of a route's success. */
export type ResultOf<Name extends Route> =
  OperationOf<Name> extends { responses: infer Responses }
    ? { [Status in keyof Responses & (200 | 201 | 202)]: JsonOf<Responses[Status]> }[keyof Responses &
        (200 | 201 | 202)]
    : never;

/** A member that is required when the route has it, and absent when it has not. */
type Member<Key extends string, Value> = [Value] extends [never]
  ? { [K in Key]?: undefined }
  : Record<never, unknown> extends Value
    ? { [K in Key]?: Value }
    : { [K in Key]: Value };

/** What a route takes: `path`, `query` and `body` by its description. */
export type InputOf<Name extends Route> = Member<"path", ParametersOf<OperationOf<Name>, "path">> &
  Member<"query", ParametersOf<OperationOf<Name>, "query">> &
  Member<"body", BodyOf<OperationOf<Name>>>;

/** Routes whose results are pages: they have `next`, and one list. */
export type PagedRoute = {
  [Name in Route]: Name extends `GET ${string}`
    ? ResultOf<Name> extends { next: string | null }
      ? Name
      : never
    : never;
}[Route];

/** An entry of a page's list. */
export type EntryOf<Name extends PagedRoute> = {
  [Key in keyof ResultOf<Name>]: ResultOf<Name>[Key] extends readonly (infer Entry)[] ? Entry : never;
}[keyof ResultOf<Name>];

/** Routes that answer in JSON lines. */
export type LinesRoute = {
  [Name in Route]: OperationOf<Name> extends {
    responses: { 200: { content: { "application/jsonl": unknown } } };
  }
    ? Name
    : never;
}[Route];

/** The URL of a route with its parameters: `path` and `query` have been filled in. */
export function addressOf(route: string, given: { path?: unknown; query?: unknown }): [string, string] {
  const [method = "", template = ""] = route.split(" ");
  const inPath = (given.path ?? {}) as Record<string, unknown>;
  const path = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(String(inPath[name])),
  );
  const query = Object.entries((given.query ?? {}) as Record<string, unknown>).filter(
    ([, value]) => value !== undefined,
  );
  const text = new URLSearchParams(
    query.map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
  return [method, text === "" ? path : `${path}?${text}`];
}
