import fc from "fast-check";

/** A JSON schema as far as the API's document uses it. */
export type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  pattern?: string;
  format?: string;
};

/** Values that exist in the market, by the name of the parameter or field. */
export type Samples = Record<string, readonly unknown[]>;

/** Other values than samples of these names make requests wait. */
const onlySamples = new Set(["maxSeconds", "wait"]);

/** Values that a schema accepts. */
export function valid(schema: Schema, root: object, samples: Samples, name = ""): fc.Arbitrary<unknown> {
  const known = samples[name];
  if (known !== undefined && onlySamples.has(name)) return fc.constantFrom(...known);
  const made = fromSchema(schema, root, samples);
  return known === undefined ? made : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, made);
}

function fromSchema(schema: Schema, root: object, samples: Samples): fc.Arbitrary<unknown> {
  const of = (one: Schema, name = "") => valid(one, root, samples, name);
  if (schema.$ref !== undefined) return of(at(root, schema.$ref));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return fc.oneof(...parts.map((part) => of(part)));
  const [first] = schema.allOf ?? [];
  if (first !== undefined) return of(first);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "string":
      return text(schema);
    case "integer":
    case "number":
      return number(schema, type);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(of(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, Math.max(3, schema.minItems ?? 0)),
      });
    case "object":
      return object(schema, of);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function object(schema: Schema, of: (one: Schema, name: string) => fc.Arbitrary<unknown>) {
  const required = schema.required ?? [];
  const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, of(one, name)] as const);
  return fc.record(Object.fromEntries(fields), { requiredKeys: required });
}

function number({ minimum, exclusiveMinimum, maximum }: Schema, type: string): fc.Arbitrary<number> {
  const min = minimum ?? (exclusiveMinimum === undefined ? -1_000 : exclusiveMinimum + 1);
  const max = Math.min(maximum ?? 1_000_000, Number.MAX_SAFE_INTEGER);
  const integers = fc.integer({ min: Math.ceil(min), max: Math.floor(max) });
  return type === "integer" ? integers : fc.oneof(integers, fc.constantFrom(min, max));
}

function text({ pattern, format, minLength, maxLength }: Schema): fc.Arbitrary<string> {
  if (format === "date-time") return fc.constantFrom("2040-01-01T00:00:00Z", "2020-01-01T00:00:00Z");
  if (format === "uuid") return fc.uuid();
  if (pattern !== undefined) return matching(shortened(pattern));
  return fc.string({ minLength: minLength ?? 0, maxLength: Math.min(maxLength ?? 20, 20) });
}

/** fast-check cannot generate for a lookahead: what the rest of the pattern gives is compared with the whole of it. */
function matching(pattern: string): fc.Arbitrary<string> {
  const whole = new RegExp(pattern);
  const generated = pattern.replaceAll(/\(\?[!=](?:[^()]|\([^()]*\))*\)/g, "");
  const texts = fc.stringMatching(new RegExp(generated));
  return generated === pattern ? texts : texts.filter((value) => whole.test(value));
}

/** A long repetition costs time and shows nothing. */
const shortened = (pattern: string) =>
  pattern.replaceAll(
    /\{(\d+),(\d+)\}/g,
    (_all, min: string, max: string) => `{${min},${Math.min(Number(max), Number(min) + 6)}}`,
  );

export const at = (root: object, pointer: string): Schema =>
  pointer
    .slice(2)
    .split("/")
    .reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], root) as Schema;

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

const oddTexts = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  "\ufeff1",
  "１２",
  "😀".repeat(50),
  "e\u0301\u0301\u0301",
  "\u202eabc",
  "../../etc/passwd",
  "'; drop table app.task; --",
  "__proto__",
  "0x10",
  "1e3",
  "-1",
  "NaN",
  "9".repeat(19),
  "9".repeat(400),
  "18446744073709551616",
  "a".repeat(5_000),
];
const oddNumbers = [0, -0, -1, 0.1, 1e-7, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, -1e308, 1e308, Number.MAX_VALUE];

/** Text that programs handle wrongly, and random text. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...oddTexts),
  fc.string({ unit: "binary", maxLength: 12 }),
);

/** Values of a wrong type, of extremes, of huge and deep structure. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: oddText },
  { weight: 4, arbitrary: fc.constantFrom(...oddNumbers) },
  { weight: 4, arbitrary: fc.constantFrom(null, true, false, [], {}, [[]], [null], { a: {} }) },
  { weight: 2, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.constantFrom(nested(100), nested(600), nested(3_000)) },
  { weight: 1, arbitrary: fc.constantFrom("a".repeat(40_000), "a".repeat(300_000), "é".repeat(140_000)) },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 5_000 }, (_one, index) => index)) },
);
