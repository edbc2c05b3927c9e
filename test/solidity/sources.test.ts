import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import {
  checkSources,
  checkTypes,
  isNode,
  lineOf,
  type Node,
  type Source,
  walk,
} from "../../scripts/solidity/ast.ts";

const rootDir = join(import.meta.dirname, "../..");

/** The names in a list of parameters. One without a name counts as "". */
const namesIn = (list: unknown) =>
  ((list as { parameters: Node[] }).parameters ?? []).map(({ name }) => name ?? "");

const documentation = (node: Node) => (isNode(node.documentation) ? String(node.documentation.text) : "");

/** What the documentation of a function that can be called lacks. */
function lacks(node: Node): string[] {
  const text = documentation(node);
  if (text.includes("@inheritdoc")) return [];
  const returned = namesIn(node.returnParameters);
  const returns = text.match(/@return\b/g)?.length ?? 0;
  return [
    ...(/@notice\b/.test(text) ? [] : ["@notice"]),
    ...namesIn(node.parameters)
      .filter((name) => name !== "" && !new RegExp(`@param ${name}\\s+\\S`).test(text))
      .map((name) => `@param ${name}`),
    ...(returns === returned.length ? [] : [`@return: ${returns} of ${returned.length}`]),
  ];
}

/** Functions that can be called from outside, except the constructor and the fallback. */
function calledFunctions({ ast }: Source): Node[] {
  const found: Node[] = [];
  walk(ast, (node) => {
    const isCalled = node.visibility === "external" || node.visibility === "public";
    if (node.nodeType === "FunctionDefinition" && node.kind === "function" && isCalled) found.push(node);
    return undefined;
  });
  return found;
}

describe("the contracts' sources", function () {
  this.timeout(600_000);
  let sources: Source[];
  let warnings: string[];
  before(() => {
    ({ sources, warnings } = checkSources(rootDir));
  });

  it("document each function that can be called, with its parameters and what it returns", () => {
    const functions = sources.flatMap((source) => calledFunctions(source).map((node) => ({ source, node })));
    expect(functions.length).to.be.greaterThan(130);
    const lines = functions.flatMap(({ source, node }) =>
      lacks(node).map((tag) => `${source.file}:${lineOf(source, node)} ${node.name} lacks ${tag}`),
    );
    expect(lines).to.deep.equal([]);
  });

  it("compile without a warning", () => {
    expect(warnings).to.deep.equal([]);
  });

  it("are rejected with a warning, as a source with an unused variable is", () => {
    const text = `${readFileSync(new URL("../../contracts/libraries/StructHash.sol", import.meta.url), "latin1")}
      contract Probe { function probe() external { uint256 unused; } }`;
    const probed = checkTypes(rootDir, new Map([["contracts/libraries/StructHash.sol", text]]));
    expect(probed.warnings.join("\n")).to.contain("Unused local variable");
  });
});
