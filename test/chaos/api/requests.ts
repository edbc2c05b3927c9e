import fc from "fast-check";
import type { OpenApi, Operation } from "../../services/apiServer/contract.ts";
import { mutatedBody, mutatedHeaders, mutatedPath, mutatedQuery } from "./mutations.ts";
import { type Samples, type Schema, valid } from "./values.ts";

/** A request as it is sent. */
export type FuzzRequest = {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
};

type Parts = {
  path: Record<string, unknown>;
  query: Record<string, unknown>;
  header: Record<string, unknown>;
  body: unknown;
};

/** Facts of the market that requests refer to. */
export type Facts = { apiKey: string; samples: Samples; byPath: Record<string, Samples> };

/** Requests to every operation: valid ones, and those with one mutation. */
export function requests(document: OpenApi, facts: Facts): fc.Arbitrary<FuzzRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const made = operations.map(({ path, method, operation }) =>
    requestsOf({ path, method, operation }, document, facts),
  );
  return fc.oneof(...made);
}

function requestsOf(
  { path, method, operation }: { path: string; method: string; operation: Operation },
  document: OpenApi,
  { apiKey, samples, byPath }: Facts,
): fc.Arbitrary<FuzzRequest> {
  const known = { ...samples, ...byPath[path.split("/").slice(0, 3).join("/")] };
  const of = (where: "path" | "query" | "header") => {
    const own = (operation.parameters ?? []).filter((one) => one.in === where);
    const fields = own.map(({ name, schema }) => [name, valid(schema as Schema, document, known, name)]);
    const requiredKeys = own.filter(({ required }) => required === true).map(({ name }) => name);
    return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys });
  };
  const schema = operation.requestBody?.content["application/json"]?.schema as Schema | undefined;
  const parts: fc.Arbitrary<Parts> = fc.record({
    path: of("path"),
    query: of("query"),
    header: of("header"),
    body: schema === undefined ? fc.constant(undefined) : valid(schema, document, known),
  });
  const authorization = operation.security?.length === 0 ? undefined : `Bearer ${apiKey}`;
  const plain = parts.map((given) => written(path, method, given, authorization));
  return mutated(plain, operation, method);
}

/** A request as text: the path with its parameters and query, headers, and a JSON body. */
function written(
  template: string,
  method: string,
  { path, query, header, body }: Parts,
  authorization: string | undefined,
): FuzzRequest {
  const filled = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeText(String(path[name])));
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeText(String(value))}`);
  return {
    method: method.toUpperCase(),
    path: pairs.length === 0 ? filled : `${filled}?${pairs.join("&")}`,
    headers: {
      ...Object.fromEntries(Object.entries(header).map(([name, value]) => [name, String(value)])),
      ...(authorization === undefined ? {} : { authorization }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  };
}

/** A text as a part of a URL; lone surrogates become U+FFFD. */
const encodeText = (text: string) => encodeURIComponent(text.toWellFormed());

function mutated(
  plain: fc.Arbitrary<FuzzRequest>,
  operation: Operation,
  method: string,
): fc.Arbitrary<FuzzRequest> {
  const hasBody = operation.requestBody !== undefined;
  // A valid write waits for its transaction, so most are mutated.
  const isWrite = method !== "get" && operation.responses["409"] !== undefined;
  return fc.oneof(
    { weight: isWrite ? 1 : 20, arbitrary: plain },
    { weight: hasBody ? 100 : 10, arbitrary: mutatedBody(plain) },
    { weight: 20, arbitrary: mutatedHeaders(plain, isWrite) },
    { weight: 20, arbitrary: mutatedQuery(plain) },
    { weight: 20, arbitrary: mutatedPath(plain) },
  );
}
