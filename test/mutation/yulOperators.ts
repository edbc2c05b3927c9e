import { type Node, rangeOf, type Source, textOf, walk } from "../../scripts/solidity/ast.ts";
import type { Change, Operator } from "./operators.ts";

const others: Record<string, [string, Operator]> = {
  lt: ["gt", "comparison"],
  gt: ["lt", "comparison"],
  add: ["sub", "arithmetic"],
  sub: ["add", "arithmetic"],
  shl: ["shr", "arithmetic"],
  shr: ["shl", "arithmetic"],
  and: ["or", "arithmetic"],
  or: ["and", "arithmetic"],
};

/** The same operators for inline assembly. */
export function yulChanges(source: Source, assembly: Node): Change[] {
  const changes: Change[] = [];
  walk(assembly.AST as Node, (node) => {
    changes.push(...changesAt(source, node));
    return undefined;
  });
  return changes;
}

function changesAt(source: Source, node: Node): Change[] {
  const [start, end] = rangeOf(node);
  if (node.nodeType === "YulFunctionCall") {
    const name = (node.functionName as Node).name ?? "";
    const text = textOf(source, node);
    const other = others[name];
    if (other !== undefined) {
      return [{ start, end, text: other[0] + text.slice(name.length), operator: other[1] }];
    }
    if (name === "eq") return [{ start, end, text: `iszero(${text})`, operator: "comparison" }];
    if (name === "iszero") return [{ start, end, text: `iszero(${text})`, operator: "boolean" }];
    return [];
  }
  if (node.nodeType === "YulLiteral" && node.kind === "number") {
    const value = BigInt(node.value ?? "0");
    const values = value > 0n ? [value + 1n, value - 1n] : [value + 1n];
    return values.map((other) => ({ start, end, text: other.toString(), operator: "constant" }));
  }
  if (node.nodeType === "YulExpressionStatement") return [{ start, end, text: "", operator: "removed" }];
  return [];
}
