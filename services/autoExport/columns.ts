import { FatalError } from "@ngpu/runtime/errors";
import type { AbiParameter } from "viem";
import {
  type WordWriter,
  writeAddress,
  writeBoolean,
  writeBytes,
  writeName,
  writeSigned,
  writeUnsigned,
} from "./abiWords.ts";
import { enumNames } from "./enums.ts";

/** A column of an event table and how its value is read from the event's decoded arguments. */
export type Column = {
  name: string;
  /** Postgres type. */
  type: string;
  /** The value as JSON that Postgres reads the type from. */
  read: (args: Record<string, unknown>) => unknown;
  /** Whether the value is a topic of the log rather than a part of its data. */
  indexed: boolean;
  /** Writes the same value out of its word; undefined when it is of varying length or a list. */
  writeWord: WordWriter | undefined;
};

/** `totalCpuMilli` → `total_cpu_milli`, `EIP712DomainChanged` → `eip712_domain_changed`. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
}

/** The columns of a list of event parameters; structs are flattened with `_`. */
export function columnsOf(
  parameters: readonly AbiParameter[],
  reserved: ReadonlySet<string>,
  prefix = "",
): Column[] {
  return parameters.flatMap((parameter, index) => {
    const key = argumentName(parameter, index);
    const name = prefix + snakeCase(key);
    if (parameter.type === "tuple" && !isHashed(parameter)) {
      const fields = "components" in parameter ? parameter.components : [];
      return columnsOf(fields, reserved, `${name}_`).map((column) => ({
        ...column,
        read: (args) => column.read(args[key] as Record<string, unknown>),
      }));
    }
    const { type, write, writeWord } = codecOf(parameter);
    return [
      {
        name: reserved.has(name) ? `${name}_` : name,
        type,
        read: (args) => write(args[key]),
        indexed: "indexed" in parameter && parameter.indexed === true,
        writeWord,
      },
    ];
  });
}

/** Arguments without a name are called by their place. */
export function argumentName(parameter: AbiParameter, index: number): string {
  return parameter.name === undefined || parameter.name === "" ? `arg${index}` : parameter.name;
}

type Codec = { type: string; write: (value: unknown) => unknown; writeWord?: WordWriter };

function codecOf(parameter: AbiParameter): Codec {
  // Only the hash of an indexed string, bytes, array or struct stands in the log.
  if (isHashed(parameter)) return { type: "text", write: lowerCase, writeWord: writeBytes(32) };
  const array = /^(.*)\[\d*\]$/.exec(parameter.type);
  if (array !== null) {
    const item = { ...parameter, type: array[1] as string, indexed: false };
    if (item.type === "tuple" || item.type.endsWith("]")) return { type: "jsonb", write: plain };
    const { type, write } = codecOf(item);
    return { type: `${type}[]`, write: (value) => (value as unknown[]).map(write) };
  }
  const names = enumNames(parameter.internalType);
  if (names !== undefined) {
    return {
      type: "text",
      write: (value) => nameOf(names, Number(value)),
      writeWord: writeName((value) => nameOf(names, value)),
    };
  }
  const integer = /^(u?)int(\d+)$/.exec(parameter.type);
  if (integer !== null) {
    const unsigned = integer[1] === "u";
    const type = integerType(unsigned, Number(integer[2]));
    return { type, write: String, writeWord: unsigned ? writeUnsigned : writeSigned };
  }
  if (parameter.type === "bool") return { type: "boolean", write: (value) => value, writeWord: writeBoolean };
  if (parameter.type === "string") return { type: "text", write: (value) => storable(value as string) };
  if (parameter.type === "address") return { type: "text", write: lowerCase, writeWord: writeAddress };
  const bytes = /^bytes(\d+)$/.exec(parameter.type);
  if (bytes !== null) return { type: "text", write: lowerCase, writeWord: writeBytes(Number(bytes[1])) };
  return { type: "text", write: lowerCase };
}

function integerType(unsigned: boolean, bits: number): string {
  const signedBits = unsigned ? bits + 1 : bits;
  return signedBits <= 32 ? "integer" : signedBits <= 64 ? "bigint" : "numeric(78,0)";
}

function isHashed(parameter: AbiParameter): boolean {
  const { type } = parameter;
  const dynamic = type === "string" || type === "bytes" || type === "tuple" || type.endsWith("]");
  return dynamic && "indexed" in parameter && parameter.indexed === true;
}

function lowerCase(value: unknown): string {
  return String(value).toLowerCase();
}

/** Anyone may put any bytes in a string; Postgres has no text with a zero in it. */
function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD");
}

function nameOf(names: readonly string[], value: number): string {
  const name = names[value];
  if (name !== undefined) return name;
  throw new FatalError(`There is no name for the enum value ${value} after ${names.join(", ")}.`, {
    code: "enum_value_unknown",
    hint: "Add it to packages/contracts-sdk/enumNames.ts.",
  });
}

/** Structs in arrays as JSON: big numbers as decimal strings. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return /^0x[0-9a-fA-F]*$/.test(value) ? lowerCase(value) : storable(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [snakeCase(name), plain(item)]));
}
