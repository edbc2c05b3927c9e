import type { Node } from "oxc-parser";
import type { Project } from "./project.ts";
import type { Leaf, Leaves, Scope } from "./scopes.ts";
import { leavesOf } from "./values.ts";

/** The possible strings of an expression. `unknown` are nodes that cannot be derived from the code. */
export type Texts = { texts: string[]; unknown: Leaf[] };

/** Reads identifiers of programs: literals, and templates whose parts are known. */
export function textsOf(project: Project, leaves: readonly Leaf[]): Texts {
  const all = leaves.map(({ node, scope }): Texts => {
    if (node.type === "Literal")
      return typeof node.value === "string" ? { texts: [node.value], unknown: [] } : nothing;
    if (node.type === "Identifier" && node.name === "undefined") return nothing;
    if (node.type === "TemplateLiteral") return templateTexts(project, { node, scope });
    return { texts: [], unknown: [{ node, scope }] };
  });
  return {
    texts: [...new Set(all.flatMap(({ texts }) => texts))],
    unknown: all.flatMap(({ unknown }) => unknown),
  };
}

const nothing: Texts = { texts: [], unknown: [] };

function templateTexts(project: Project, { node, scope }: Leaf): Texts {
  if (node.type !== "TemplateLiteral") return nothing;
  let texts = [""];
  for (const [index, quasi] of node.quasis.entries()) {
    texts = texts.map((text) => text + (quasi.value.cooked ?? ""));
    const expression = node.expressions[index];
    if (expression === undefined) continue;
    const { leaves, open } = leavesOf(project, expression, scope);
    const part = textsOf(project, leaves);
    if (open.length > 0 || part.unknown.length > 0 || part.texts.length === 0)
      return { texts: [], unknown: [{ node, scope }] };
    texts = texts.flatMap((text) => part.texts.map((each) => text + each));
  }
  return { texts, unknown: [] };
}

/** Parameters that a name depends on, also inside its templates. */
export function openIn(project: Project, { leaves, open }: Leaves): Leaves["open"] {
  const inside = leaves.flatMap(({ node, scope }) =>
    node.type === "TemplateLiteral"
      ? node.expressions.flatMap((expression) => leavesOf(project, expression, scope).open)
      : [],
  );
  return [...open, ...inside];
}

/** Sentences as templates: a value known only at run time is written as `{name}`. */
export function sentencesOf(project: Project, node: Node, scope: Scope): string[] {
  const { leaves, open } = leavesOf(project, node, scope);
  const known = leaves.map((leaf) => distinct(sentenceOf(project, leaf))).filter((text) => text !== "");
  const sentences = known.map((text) => text.replace(/\s+/g, " ").trim());
  return [...new Set(open.length > 0 && known.length === 0 ? [`{${labelOf(node)}}`] : sentences)];
}

function sentenceOf(project: Project, { node, scope }: Leaf): string {
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : "";
  if (node.type === "Identifier" && node.name === "undefined") return "";
  if (node.type === "TemplateLiteral") {
    return node.quasis
      .map(({ value }, index) => {
        const expression = node.expressions[index];
        return (value.cooked ?? "") + (expression === undefined ? "" : partOf(project, expression, scope));
      })
      .join("");
  }
  if (node.type === "BinaryExpression" && node.operator === "+")
    return `${partOf(project, node.left, scope)}${partOf(project, node.right, scope)}`;
  return placeholderOf(node, scope);
}

/** A part of a template: the text, if there is only one. */
function partOf(project: Project, node: Node, scope: Scope): string {
  const { leaves, open } = leavesOf(project, node, scope);
  const { texts, unknown } = textsOf(project, leaves);
  const [only] = texts;
  if (open.length === 0 && unknown.length === 0 && texts.length === 1 && only !== undefined) return only;
  const [leaf] = leaves;
  if (leaves.length === 1 && leaf !== undefined && isComposed(leaf.node)) return sentenceOf(project, leaf);
  return placeholderOf(node, scope);
}

/** A placeholder while its sentence is composed: its name, its longer name, and the expression that it stands for. */
function placeholderOf(node: Node, { source }: Scope): string {
  return `\uE000${labelOf(node)}\uE000${longLabelOf(node)}\uE000${source.text.slice(node.start, node.end)}\uE000`;
}

const placeholder = /\uE000([^\uE000]*)\uE000([^\uE000]*)\uE000([^\uE000]*)\uE000/g;

/** The sentence with its placeholders. Those of one name that stand for different expressions have their longer names. */
function distinct(sentence: string): string {
  const named = Map.groupBy(sentence.matchAll(placeholder), ([, label]) => label);
  return sentence.replace(placeholder, (_, label: string, longLabel: string) => {
    const expressions = new Set(named.get(label)?.map(([, , , expression]) => expression));
    return `{${expressions.size > 1 ? longLabel : label}}`;
  });
}

/** The label of a member with the label of its object: `deploymentChainId` of `deployment.chainId`. */
function longLabelOf(node: Node): string {
  const label = labelOf(node);
  if (node.type !== "MemberExpression" || node.computed || node.property.type !== "Identifier") return label;
  return `${labelOf(node.object)}${label.charAt(0).toUpperCase()}${label.slice(1)}`;
}

function isComposed(node: Node): boolean {
  return node.type === "TemplateLiteral" || (node.type === "BinaryExpression" && node.operator === "+");
}

/** A short name for a value known only at run time. */
function labelOf(node: Node): string {
  switch (node.type) {
    case "Identifier":
      return node.name;
    case "ThisExpression":
      return "this";
    case "MemberExpression":
      return !node.computed && node.property.type === "Identifier"
        ? node.property.name
        : labelOf(node.object);
    case "CallExpression":
      if (node.callee.type === "Identifier" && /[mM]essage(Of)?$/.test(node.callee.name)) return "reason";
      if (node.callee.type === "MemberExpression" && node.callee.object.type !== "Identifier")
        return labelOf(node.callee.object);
      if (node.callee.type === "MemberExpression" && node.arguments.length === 0)
        return labelOf(node.callee.object);
      return node.arguments[0] === undefined ? labelOf(node.callee) : labelOf(node.arguments[0]);
    case "NewExpression":
    case "ArrayExpression":
      return "value";
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "ChainExpression":
      return labelOf(node.expression);
    case "AwaitExpression":
    case "SpreadElement":
    case "UnaryExpression":
      return labelOf(node.argument);
    case "BinaryExpression":
    case "LogicalExpression":
      return labelOf(node.left);
    case "ConditionalExpression":
      return labelOf(node.test);
    default:
      return "…";
  }
}
