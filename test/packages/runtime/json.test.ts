import { resultHashOf } from "@ngpu/protocol/taskReceiptTree";
import { canonicalJson, toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import fc from "fast-check";
import { keccak256, stringToHex } from "viem";

const withBigints = fc.anything({ withBigInt: true, withDate: true });
const replaced = (value: unknown, space?: number) =>
  JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? item.toString() : item), space);

/** Sorted by name at every level. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(fields.map(([name, field]) => [name, sorted(field)]));
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  return `{${[...value].map(([name, field]) => `${JSON.stringify(name)}:${textOf(field)}`).join(",")}}`;
}

describe("JSON text", () => {
  it("has bigints as decimal strings, and all else as JSON has it", () => {
    fc.assert(
      fc.property(withBigints, fc.constantFrom(undefined, 2), (value, space) => {
        expect(toJson(value, space)).to.equal(replaced(value, space));
      }),
    );
  });

  it("is canonical with its fields sorted by name, without whitespace", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(value)).to.equal(textOf(sorted(JSON.parse(JSON.stringify(value)))));
      }),
    );
    expect(canonicalJson({ b: 1n, a: [undefined, { d: 1, c: [2n] }] })).to.equal(
      '{"a":[null,{"c":["2"],"d":1}],"b":"1"}',
    );
  });

  it("of a result is hashed as UTF-8", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, text) => {
        const result = [value, text];
        const expected = keccak256(stringToHex(canonicalJson({ taskId: "a", result })));
        expect(resultHashOf("a", result)).to.equal(expected);
      }),
      { numRuns: 20 },
    );
  });
});
