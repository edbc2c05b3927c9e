// Terms as SMT-LIB, and z3 as it comes from npm.
import { init } from "z3-solver";
import { SIZE, type Term } from "./words.ts";

export type Answer = { kind: "sat" | "unsat" | "unknown"; model: Record<string, bigint> };
export type Solver = {
  /** Whether all facts can hold at once. @param milliseconds After which the answer is unknown. */
  check(facts: readonly Term[], milliseconds: number): Promise<Answer>;
  queries(): number;
};

/** Booleans are words of 0 or 1, except as facts and conditions. */
const booleans = new Set(["lt", "eq", "not", "and", "fits"]);
const ref = ({ id, op, value }: Term) => (op === "const" ? String(value) : `t${id}`);
const condition = (term: Term) => (booleans.has(term.op) ? ref(term) : `(= ${ref(term)} 1)`);
const word = (term: Term) => (booleans.has(term.op) ? `(ite ${ref(term)} 1 0)` : ref(term));

function bodyOf(term: Term): string {
  const [a = "", b = ""] = term.args.map(word);
  switch (term.op) {
    case "add":
      return term.exact ? `(+ ${a} ${b})` : `(let ((s (+ ${a} ${b}))) (ite (< s ${SIZE}) s (- s ${SIZE})))`;
    case "sub":
      return term.exact ? `(- ${a} ${b})` : `(let ((d (- ${a} ${b}))) (ite (< d 0) (+ d ${SIZE}) d))`;
    case "mul":
      return term.exact ? `(* ${a} ${b})` : `(mod (* ${a} ${b}) ${SIZE})`;
    case "div":
      return `(ite (= ${b} 0) 0 (div ${a} ${b}))`;
    case "mod":
      return `(ite (= ${b} 0) 0 (mod ${a} ${b}))`;
    case "shl":
      return `(* ${a} ${1n << term.value})`;
    case "shr":
      return `(div ${a} ${1n << term.value})`;
    case "low":
      return `(mod ${a} ${1n << term.value})`;
    case "join":
      return `(+ ${term.args.map(word).join(" ")})`;
    case "same":
      return a;
    case "choose":
      return `(ite ${condition(term.args[0] as Term)} ${word(term.args[1] as Term)} ${word(term.args[2] as Term)})`;
    case "lt":
      return `(< ${a} ${b})`;
    case "eq":
      return `(= ${a} ${b})`;
    case "not":
      return `(not ${condition(term.args[0] as Term)})`;
    case "and":
      return `(and ${term.args.map(condition).join(" ")})`;
    default: {
      // fits: a sum or a product, before it would wrap.
      const [x = "", y = ""] = (term.args[0] as Term).args.map(word);
      return `(< (${term.args[0]?.op === "add" ? "+" : "*"} ${x} ${y}) ${SIZE})`;
    }
  }
}

/** The declarations and definitions that facts need, in order. */
export function textOf(facts: readonly Term[]): { text: string; inputs: Term[] } {
  const lines: string[] = [];
  const inputs: Term[] = [];
  const done = new Set<Term>();
  const visit = (term: Term) => {
    if (done.has(term) || term.op === "const") return;
    done.add(term);
    // Of `fits`, the operands are needed and not the wrapped result.
    for (const part of term.op === "fits" ? (term.args[0] as Term).args : term.args) visit(part);
    const isFree = term.op === "input" || term.op === "hash";
    if (isFree) inputs.push(term);
    const sort = booleans.has(term.op) ? "Bool" : "Int";
    if (!isFree) {
      lines.push(`(define-fun t${term.id} () ${sort} ${bodyOf(term)})`);
      return;
    }
    lines.push(
      `(declare-const t${term.id} Int)`,
      `(assert (and (<= 0 t${term.id}) (<= t${term.id} ${term.hi})))`,
    );
  };
  for (const fact of facts) visit(fact);
  for (const fact of facts) lines.push(`(assert ${condition(fact)})`);
  return { text: lines.join("\n"), inputs };
}

/** One z3 for all questions. */
export async function startSolver(): Promise<Solver> {
  const { Z3 } = await init();
  let queries = 0;
  return {
    queries: () => queries,
    async check(facts, milliseconds) {
      queries += 1;
      const context = Z3.mk_context(Z3.mk_config());
      const { text, inputs } = textOf(facts);
      const values = inputs.length === 0 ? "" : `(get-value (${inputs.map(({ id }) => `t${id}`).join(" ")}))`;
      try {
        const head = `(set-option :timeout ${milliseconds})\n${text}\n(check-sat)\n`;
        const kind = (await Z3.eval_smtlib2_string(context, head)).trim();
        if (kind !== "sat") return { kind: kind === "unsat" ? "unsat" : "unknown", model: {} };
        const lines = await Z3.eval_smtlib2_string(context, values);
        return { kind, model: modelOf(lines, inputs) };
      } finally {
        Z3.del_context(context);
      }
    },
  };
}

function modelOf(text: string, inputs: readonly Term[]): Record<string, bigint> {
  const model: Record<string, bigint> = {};
  for (const { id, name } of inputs) {
    const found = new RegExp(`\\(t${id} (\\d+)\\)`).exec(text);
    if (found?.[1] !== undefined) model[name] = BigInt(found[1]);
  }
  return model;
}
