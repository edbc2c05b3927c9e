import { isNode, lineOf, type Node, rangeOf, type Source, textOf, walk } from "../../scripts/solidity/ast.ts";
import type { Edit } from "../../scripts/solidity/rewrite.ts";

/** A branch of the code. Its tag is recorded when it is taken. */
export type Branch = { tag: number; file: string; line: number; way: string; text: string };

/** Records both outcomes of a condition, and that a position was reached. It adds no lines to the contracts. */
export const helper = `// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

function recorded(bool outcome, uint256 tag) pure returns (bool) {
    asPure(record)(outcome ? tag : tag + 1);
    return outcome;
}

function reached(uint256 tag) pure {
    asPure(record)(tag);
}

function record(uint256 tag) view {
    assembly ("memory-safe") {
        mstore(0, tag)
        pop(staticcall(gas(), 0xc0bEc0BEc0BeC0bEC0beC0bEC0bEC0beC0beC0BE, 0, 32, 0, 0))
    }
}

function asPure(function(uint256) view given) pure returns (function(uint256) pure taken) {
    assembly ("memory-safe") {
        taken := given
    }
}
`;

/**
 * The contracts with every branch recorded: both outcomes of each if, ternary, loop and left side of && and ||, and each
 * clause of a try. Branches in assembly are not counted.
 */
export function branchesOf(sources: readonly Source[]): {
  branches: Branch[];
  files: { source: Source; edits: Edit[] }[];
} {
  const branches: Branch[] = [];
  const files = sources.map((source) => {
    const edits: Edit[] = [];
    const add = (node: Node, way: string) => {
      const file = source.file;
      const line = lineOf(source, node);
      const text = textOf(source, node).split("\n")[0] ?? "";
      branches.push({ tag: branches.length + 1, file, line, way, text });
      return branches.length;
    };
    walk(source.ast, (node) => {
      const condition = conditionOf(node);
      if (condition !== undefined) {
        const [start, end] = rangeOf(condition);
        const tag = add(condition, "true");
        add(condition, "false");
        edits.push({ start, end: start, text: "recorded((" }, { start: end, end, text: `), ${tag})` });
      }
      if (node.nodeType === "TryCatchClause") {
        const [start] = rangeOf(node.block as Node);
        const tag = add(
          node.block as Node,
          node.errorName === "" && node.parameters === null ? "catch" : "clause",
        );
        edits.push({ start: start + 1, end: start + 1, text: ` reached(${tag});` });
      }
      return undefined;
    });
    return { source, edits: inNestingOrder(edits) };
  });
  return { branches, files };
}

function conditionOf(node: Node): Node | undefined {
  const isBoolean = node.nodeType === "BinaryOperation" && (node.operator === "&&" || node.operator === "||");
  if (isBoolean) return node.leftExpression as Node;
  const has = ["IfStatement", "Conditional", "ForStatement", "WhileStatement"].includes(node.nodeType);
  return has && isNode(node.condition) ? node.condition : undefined;
}

/** At one position, inner openings follow outer openings, and inner closings precede outer closings. */
function inNestingOrder(edits: readonly Edit[]): Edit[] {
  const opens = edits.filter(({ text }) => text === "recorded((");
  const closes = edits.filter(({ text }) => text !== "recorded((").reverse();
  return [...closes, ...opens];
}
