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

/** A column of an event table, and how to read its value from a log. */
export type Column = {
  name: string;
  /** Postgres type. */
  type: string;
  /** Reads the value from the decoded arguments, as JSON that Postgres can convert to the type. */
  read: (args: Record<string, unknown>) => unknown;
  /** Whether the value is a topic of the log; otherwise it is part of the data. */
  indexed: boolean;
  /** Writes the same value from its ABI word; undefined for values of variable length and for arrays. */
  writeWord: WordWriter | undefined;
};

/** `totalCpuMilli` → `total_cpu_milli`, `EIP712DomainChanged` → `eip712_domain_changed`. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
}

/** The columns of event parameters. Structs are flattened with `_`; `_` is appended to a reserved name. */
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

/** The name of an argument; `arg` and its index if it has none. */
export function argumentName(parameter: AbiParameter, index: number): string {
  return parameter.name === undefined || parameter.name === "" ? `arg${index}` : parameter.name;
}

type Codec = { type: string; write: (value: unknown) => unknown; writeWord?: WordWriter };

function codecOf(parameter: AbiParameter): Codec {
  // The log contains only the hash of an indexed string, bytes, array or struct.
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

/** Strings from the chain may contain any character; Postgres text cannot contain NUL. */
function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD");
}

function nameOf(names: readonly string[], value: number): string {
  const name = names[value];
  if (name !== undefined) return name;
  throw new FatalError(`Enum value ${value} has no name; the names are ${names.join(", ")}.`, {
    code: "enum_value_unknown",
    hint: "Add its name to packages/contracts-sdk/enumNames.ts.",
  });
}

/** Structs in arrays as JSON, with bigints as decimal strings. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return /^0x[0-9a-fA-F]*$/.test(value) ? lowerCase(value) : storable(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [snakeCase(name), plain(item)]));
}
