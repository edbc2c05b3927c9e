// Fewer facts for a question that the solver does not answer.
import { isConstant, type Op, type Term } from "./words.ts";

/** The facts without a product or quotient of two unknowns that are about an input of a word, or of another such fact. */
export function linearFacts(facts: readonly Term[], word: Term): Term[] {
  const about = inputsOf(word);
  const open = new Set(facts.filter(isLinear));
  const found: Term[] = [];
  for (let grew = true; grew; ) {
    grew = false;
    for (const fact of open) {
      const inputs = inputsOf(fact);
      if (![...inputs].some((term) => about.has(term))) continue;
      for (const term of inputs) about.add(term);
      found.push(fact);
      open.delete(fact);
      grew = true;
    }
  }
  return found;
}

const products = new Set<Op>(["mul", "div", "mod"]);
const linear = new Map<Term, boolean>();

function isLinear(term: Term): boolean {
  const before = linear.get(term);
  if (before !== undefined) return before;
  const isProduct = products.has(term.op) && !term.args.some(isConstant);
  const result = !isProduct && term.args.every(isLinear);
  linear.set(term, result);
  return result;
}

/** The inputs and hashes that a term has. */
function inputsOf(term: Term): Set<Term> {
  const found = new Set<Term>();
  const seen = new Set<Term>();
  const visit = (part: Term) => {
    if (seen.has(part)) return;
    seen.add(part);
    if (part.op === "input" || part.op === "hash") found.add(part);
    for (const inner of part.args) visit(inner);
  };
  visit(term);
  return found;
}
