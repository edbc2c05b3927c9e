import { type Node, rangeOf, type Source, textOf, walk } from "../../scripts/solidity/ast.ts";
import type { Edit } from "../../scripts/solidity/rewrite.ts";
import { yulChanges } from "./yulOperators.ts";

export type Operator =
  | "comparison"
  | "arithmetic"
  | "boolean"
  | "constant"
  | "removed"
  | "swapped"
  | "modifier";

/** One small fault at one position. */
export type Change = Edit & { operator: Operator };

const comparisons: Record<string, string[]> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "==": ["!="],
  "!=": ["=="],
};
const arithmetics: Record<string, string> = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "<<": ">>",
  ">>": "<<",
  "&": "|",
  "|": "&",
  "+=": "-=",
  "-=": "+=",
  "|=": "&=",
  "&=": "|=",
};
const booleans: Record<string, string> = { "&&": "||", "||": "&&" };

/** All faults that the operators create in an expression, a statement or an assembly block. */
export function changesOf(source: Source, root: Node, constants: ReadonlySet<number>): Change[] {
  const changes: Change[] = [];
  walk(root, (node) => {
    if (node.nodeType === "InlineAssembly") {
      changes.push(...yulChanges(source, node));
      return false;
    }
    // Types contain constants as lengths, and their names are not values.
    if (node.nodeType.endsWith("TypeName") || node.nodeType === "ElementaryTypeNameExpression") return false;
    changes.push(...changesAt(source, node, constants));
    return undefined;
  });
  return changes;
}

function changesAt(source: Source, node: Node, constants: ReadonlySet<number>): Change[] {
  switch (node.nodeType) {
    case "BinaryOperation":
      return binaryChanges(source, node);
    case "Assignment":
      return signChange(source, node, node.leftHandSide as Node, node.rightHandSide as Node);
    case "UnaryOperation":
      return unaryChanges(source, node);
    case "Conditional":
      return swapOf(source, node.trueExpression as Node, node.falseExpression as Node, "boolean");
    case "Literal":
      return literalChanges(source, node);
    case "Identifier":
      if (!constants.has(node.referencedDeclaration as number)) return [];
      return [" + 1", " - 1"].map((by) => change(node, `(${node.name}${by})`, "constant"));
    case "FunctionCall":
      return argumentSwaps(source, node);
    default:
      return [];
  }
}

function binaryChanges(source: Source, node: Node): Change[] {
  const left = node.leftExpression as Node;
  const right = node.rightExpression as Node;
  const operator = node.operator ?? "";
  const others = comparisons[operator];
  if (others !== undefined) {
    return others.map((other) => operatorChange(source, left, right, operator, other, "comparison"));
  }
  const boolean = booleans[operator];
  if (boolean !== undefined) {
    return [operatorChange(source, left, right, operator, boolean, "boolean")];
  }
  return signChange(source, node, left, right);
}

function signChange(source: Source, node: Node, left: Node, right: Node): Change[] {
  const operator = node.operator ?? "";
  const other = arithmetics[operator];
  return other === undefined ? [] : [operatorChange(source, left, right, operator, other, "arithmetic")];
}

/** Replaces the operator between its operands. */
function operatorChange(
  source: Source,
  left: Node,
  right: Node,
  from: string,
  to: string,
  operator: Operator,
): Change {
  const between = source.text.slice(rangeOf(left)[1], rangeOf(right)[0]);
  const start = rangeOf(left)[1] + between.indexOf(from);
  return { start, end: start + from.length, text: to, operator };
}

function unaryChanges(source: Source, node: Node): Change[] {
  const inner = node.subExpression as Node;
  const operator = node.operator ?? "";
  if (operator === "!") return [change(node, textOf(source, inner), "boolean")];
  if (operator === "~") return [change(node, textOf(source, inner), "arithmetic")];
  if (operator === "++" || operator === "--") {
    const text = textOf(source, node).replace(operator, operator === "++" ? "--" : "++");
    return [change(node, text, "arithmetic")];
  }
  return [];
}

function literalChanges(source: Source, node: Node): Change[] {
  if (node.kind === "bool") return [change(node, node.value === "true" ? "false" : "true", "constant")];
  const text = textOf(source, node).replaceAll("_", "");
  // Addresses and numbers with a unit are not changed.
  if (node.kind !== "number" || !/^(\d+|0x[0-9a-fA-F]{1,16})$/.test(text)) return [];
  const value = BigInt(text);
  // 1 - 1 may divide by zero, which solc rejects.
  const values = value > 1n ? [value + 1n, value - 1n] : [value + 1n];
  return values.map((other) => change(node, other.toString(), "constant"));
}

/** Swaps neighbouring arguments of one type. */
function argumentSwaps(source: Source, node: Node): Change[] {
  const args = node.arguments as Node[];
  if (node.kind === "typeConversion" || (node.names as string[]).length > 0) return [];
  return args.slice(1).flatMap((second, place) => {
    const first = args[place] as Node;
    const same = first.typeDescriptions?.typeString === second.typeDescriptions?.typeString;
    return same ? swapOf(source, first, second, "swapped") : [];
  });
}

function swapOf(source: Source, first: Node, second: Node, operator: Operator): Change[] {
  const one = textOf(source, first);
  const two = textOf(source, second);
  if (one === two) return [];
  const start = rangeOf(first)[0];
  const end = rangeOf(second)[1];
  const between = source.text.slice(rangeOf(first)[1], rangeOf(second)[0]);
  return [{ start, end, text: `${two}${between}${one}`, operator }];
}

function change(node: Node, text: string, operator: Operator): Change {
  const [start, end] = rangeOf(node);
  return { start, end, text, operator };
}
