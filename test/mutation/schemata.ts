import { isNode, lineOf, type Node, rangeOf, type Source, textOf, walk } from "../../scripts/solidity/ast.ts";
import { type Edit, edited } from "../../scripts/solidity/rewrite.ts";
import { type Change, changesOf, type Operator } from "./operators.ts";

/** A fault that can be switched on by its number. Numbers are stable while the contracts do not change. */
export type Mutant = { id: number; file: string; line: number; operator: Operator; was: string; now: string };

type Guards = { calls: Map<string, string>; edits: Map<Source, Edit[]> };

type Site = { source: Source; node: Node; changes: Change[]; write: (ids: number[]) => Edit[] };

const leaves = new Set([
  "ExpressionStatement",
  "EmitStatement",
  "RevertStatement",
  "Return",
  "VariableDeclarationStatement",
  "InlineAssembly",
]);

/** The contracts with every fault behind a switch, and the list of the faults. */
export function schemataOf(
  sources: readonly Source[],
  without: ReadonlySet<number> = new Set(),
): {
  mutants: Mutant[];
  files: { source: Source; edits: Edit[] }[];
} {
  const constants = constantsOf(sources);
  const guards = guardsOf(sources);
  const mutants: Mutant[] = [];
  let last = 0;
  const files = sources.map((source) => {
    const sites = source.file.startsWith("contracts/interfaces/") ? [] : sitesOf(source, constants, guards);
    const edits = sites.flatMap(({ node, changes, write }) => {
      const ids = changes.map((change) => {
        last += 1;
        const id = last;
        if (without.has(id)) return 0;
        const [start, end] = rangeOf(node);
        const now = edited(source.text, [change], start, end);
        const file = source.file;
        const line = lineOf(source, node);
        const operator = change.operator;
        mutants.push({ id, file, line, operator, was: flat(textOf(source, node)), now: flat(now) });
        return id;
      });
      return write(ids);
    });
    return { source, edits: [...(guards.edits.get(source) ?? []), ...edits] };
  });
  return { mutants, files };
}

function flat(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function sitesOf(source: Source, constants: ReadonlySet<number>, guards: Guards): Site[] {
  const sites: Site[] = [];
  walk(source.ast, (node) => {
    // Type hashes and layouts: their faults always show.
    if (node.nodeType === "VariableDeclaration") return false;
    if (node.nodeType === "FunctionDefinition") sites.push(...modifierSites(source, node, guards));
    if (node.nodeType === "IfStatement" || node.nodeType === "ForStatement") {
      const site = conditionSite(source, node, constants);
      if (site !== undefined) sites.push(site);
    }
    if (node.nodeType === "ForStatement") {
      // The counter is not changed, because most of its faults never end.
      if (isNode(node.body)) sites.push(...sitesOf({ ...source, ast: node.body }, constants, guards));
      return false;
    }
    if (!leaves.has(node.nodeType)) return undefined;
    sites.push(leafSite(source, node, constants));
    return false;
  });
  return sites.filter(({ changes }) => changes.length > 0);
}

function conditionSite(source: Source, node: Node, constants: ReadonlySet<number>): Site | undefined {
  const condition = node.condition as Node | null;
  if (condition === null) return undefined;
  const [start, end] = rangeOf(condition);
  const changes = changesOf(source, condition, constants);
  if (condition.nodeType !== "BinaryOperation" && condition.nodeType !== "UnaryOperation") {
    changes.push({ start, end, text: `!(${textOf(source, condition)})`, operator: "boolean" });
  }
  if (node.nodeType === "IfStatement" && isGuard(node)) {
    changes.push({ start, end, text: "false", operator: "removed" });
  }
  const write = (ids: number[]) => {
    const switched = changes.map((change, place) => {
      if (ids[place] === 0) return "";
      return `isOn(${ids[place]}) ? (${edited(source.text, [change], start, end)}) : `;
    });
    return [{ start, end, text: `${switched.join("")}(${textOf(source, condition)})` }];
  };
  return { source, node: condition, changes, write };
}

/** A guard reverts or returns a rejection. */
function isGuard(node: Node): boolean {
  const body = node.trueBody as Node;
  const statements = body.nodeType === "Block" ? (body.statements as Node[]) : [body];
  const last = statements.at(-1)?.nodeType;
  return !isNode(node.falseBody) && (last === "RevertStatement" || last === "Return");
}

function leafSite(source: Source, node: Node, constants: ReadonlySet<number>): Site {
  // The range of some statements does not include the semicolon.
  const [start, bare] = rangeOf(node);
  const end = source.text[bare] === ";" && node.nodeType !== "InlineAssembly" ? bare + 1 : bare;
  const declared = (node.declarations as (Node | null)[] | undefined) ?? [];
  const from = node.nodeType === "VariableDeclarationStatement" ? rangeOf(initialOf(node) ?? node)[0] : start;
  const changes = changesOf(source, node, constants).filter((change) => change.start >= from);
  if (isRemovable(node)) {
    changes.push({ start, end, text: "", operator: "removed" });
  }
  const names = declared.map((declaration) => declaration?.name ?? "").join(", ");
  const to = declared.length === 0 ? "" : declared.length === 1 ? `${names} = ` : `(${names}) = `;
  const write = (ids: number[]) => {
    const first = declared.length === 0 ? start : from;
    const cases = changes.map((change, place) => {
      if (ids[place] === 0) return "";
      return `if (isOn(${ids[place]})) { ${to}${edited(source.text, [change], first, end)} } else `;
    });
    const locals = declared.filter(isNode).map((declaration) => `${textOf(source, declaration)}; `);
    const body = `${cases.join("")}{ ${to}${source.text.slice(first, end)} }`;
    return [{ start, end, text: declared.length === 0 ? `{ ${body} }` : `${locals.join("")}${body}` }];
  };
  const whole =
    node.nodeType === "ExpressionStatement" ? { ...node, src: `${start}:${end - start}:0` } : node;
  return { source, node: whole, changes: isNode(node) && isDeclarationOnly(node) ? [] : changes, write };
}

/** solc rejects reads of an unset pointer. */
function isRemovable(node: Node): boolean {
  if (node.nodeType === "EmitStatement") return true;
  if (node.nodeType !== "ExpressionStatement") return false;
  const left = (node.expression as Node).leftHandSide as Node | undefined;
  return !/storage pointer|calldata/.test(left?.typeDescriptions?.typeString ?? "");
}

function initialOf(node: Node): Node | undefined {
  return isNode(node.initialValue) ? node.initialValue : undefined;
}

function isDeclarationOnly(node: Node): boolean {
  return node.nodeType === "VariableDeclarationStatement" && initialOf(node) === undefined;
}

/** Each function gets its own copy of a modifier, so that it can be removed from that function alone. */
function modifierSites(source: Source, node: Node, guards: Guards): Site[] {
  const [, end] = rangeOf(node);
  return ((node.modifiers as Node[] | undefined) ?? []).flatMap((modifier) => {
    const { name, referencedDeclaration } = modifier.modifierName as Node;
    const guard = guards.calls.get(String(referencedDeclaration)) ?? guards.calls.get(name ?? "");
    if (guard === undefined || node.kind === "constructor") return [];
    const [from, to] = rangeOf(modifier);
    const write = ([id]: number[]) => [
      { start: from, end: to, text: `mutable${id}` },
      { start: end, end, text: `\n    modifier mutable${id}() { if (!isOn(${id})) { ${guard} } _; }` },
    ];
    return [
      { source, node: modifier, changes: [{ start: from, end: to, text: "", operator: "modifier" }], write },
    ];
  });
}

/** The guard of each modifier without parameters, by its id; OpenZeppelin's by its name. */
function guardsOf(sources: readonly Source[]): Guards {
  const calls = new Map([["restricted", "_checkCanCall(msg.sender, msg.data);"]]);
  const edits = new Map<Source, Edit[]>();
  for (const source of sources) {
    const own: Edit[] = [];
    walk(source.ast, (node) => {
      if (node.nodeType !== "ModifierDefinition") return undefined;
      const statements = (node.body as Node).statements as Node[];
      const first = statements[0];
      const last = statements.at(-1);
      const parameters = (node.parameters as Node).parameters as Node[];
      if (first && last?.nodeType === "PlaceholderStatement" && parameters.length === 0) {
        const check = source.text.slice(rangeOf(first)[0], rangeOf(last)[0]);
        const [, end] = rangeOf(node);
        // Beside the modifier, where private members are readable.
        own.push({ start: end, end, text: `\n    function guard${node.id}() internal { ${check} }` });
        calls.set(String(node.id), `guard${node.id}();`);
      }
      return undefined;
    });
    edits.set(source, own);
  }
  return { calls, edits };
}

function constantsOf(sources: readonly Source[]): Set<number> {
  const ids = new Set<number>();
  for (const { ast } of sources) {
    walk(ast, (node) => {
      const type = node.typeDescriptions?.typeString ?? "";
      if (node.nodeType === "VariableDeclaration" && node.constant === true && /^uint\d+$/.test(type)) {
        ids.add(node.id as number);
      }
      return undefined;
    });
  }
  return ids;
}
