import { gpuCatalogue } from "./gpuCatalogue.ts";

/** The models that a name stands for. `near`: similar names among the given ones; empty when `names` is not. */
export type GpuMatch = { names: string[]; minGib: number; near: string[] };

/** Most models that one name may stand for. */
export const maxModels = 32;

/** Words that a short name leaves out without meaning another card. */
const optional = new Set(
  (
    "nvidia amd intel corporation geforce tesla quadro radeon instinct arc rtx gtx rx gpu graphics card data center " +
    "generation edition blackwell workstation server sxm pcie nvl oam hbm2 hbm2e hbm3 hbm3e"
  ).split(" "),
);
/** Words of a name that say nothing beyond the others. */
const ignored = new Set(
  "nvidia amd intel corporation geforce tesla gpu graphics card generation edition".split(" "),
);
const isMemory = (token: string) => /^\d+gb$/.test(token);

/**
 * The models that a name as people type it stands for, among the known driver names and `market`, those of the nodes.
 * Every word typed must be in a model's name, and a model with a further word that tells cards apart (Ti, SUPER, D,
 * Laptop, MIG) is another card. An exact name stands for itself alone.
 */
export function modelsNamed(typed: string, market: readonly string[]): GpuMatch {
  const known = [...new Set([...gpuCatalogue, ...market])];
  const exact = known.filter((name) => fold(name) === fold(typed));
  if (exact.length > 0) return { names: exact, minGib: 0, near: [] };
  const wanted = tokensOf(typed);
  const names = known.filter((name) => stands(wanted, wordsOf(name)));
  if (names.length === 0) return { names, minGib: 0, near: nearNames(typed, market) };
  const size = [...wanted].find(isMemory);
  // "H100 80GB" also names the H100 PCIe, whose name has no size: the size is then a requirement.
  const isImplied = size !== undefined && names.some((name) => ![...tokensOf(name)].some(isMemory));
  return { names: names.slice(0, maxModels), minGib: isImplied ? Number.parseInt(size, 10) : 0, near: [] };
}

/** Up to three of the names, the most similar first. */
export function nearNames(typed: string, names: readonly string[]): string[] {
  const wanted = pairsOf(typed);
  return [...new Set(names)]
    .map((name) => ({ name, score: similarity(wanted, pairsOf(name)) }))
    .filter(({ score }) => score >= 0.2)
    .sort((a, b) => b.score - a.score || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name);
}

function stands(wanted: ReadonlySet<string>, has: ReadonlySet<string>): boolean {
  if (vendorOf(wanted) !== undefined && vendorOf(has) !== undefined && vendorOf(wanted) !== vendorOf(has))
    return false;
  const hasSize = [...has].some(isMemory);
  const asked = [...wanted].filter((token) => !ignored.has(token) && !(isMemory(token) && !hasSize));
  // A name of optional words alone ("RTX", "80GB") names no card.
  if (!asked.some((token) => !optional.has(token) && !isMemory(token))) return false;
  if (!asked.every((token) => has.has(token))) return false;
  return [...has].every((token) => wanted.has(token) || isMemory(token) || isOptional(token, has));
}

/** A Quadro RTX 6000 is not an RTX 6000: the later RTX 6000 Ada is often called that. */
function isOptional(token: string, has: ReadonlySet<string>): boolean {
  return optional.has(token) && !(token === "quadro" && has.has("rtx"));
}

function vendorOf(tokens: ReadonlySet<string>): string | undefined {
  const words = {
    nvidia: "nvidia geforce tesla quadro rtx gtx",
    amd: "amd radeon instinct rx",
    intel: "intel arc",
  };
  return Object.entries(words).find(([, list]) => list.split(" ").some((word) => tokens.has(word)))?.[0];
}

/** The words of a name, in one spelling. */
function tokensOf(name: string): ReadonlySet<string> {
  const text = fold(name)
    .replace(/max-?\s?q\b/g, "maxq")
    .replace(/pci-?\s?e(xpress)?\b/g, "pcie")
    .replace(/\bsxm\d?\b/g, "sxm")
    .replace(/(?<![a-z0-9.])(\d+)[\s-]?g(i?b)?\b/g, " $1gb ")
    .replace(/\b(rtx|gtx|rx|geforce|radeon|tesla|quadro)[-_]?(?=[a-z]?\d)/g, "$1 ")
    .replace(/\bmi[\s-](?=\d)/g, "mi")
    .replace(/\b([abhlptv])[\s-](?=\d{1,4}s?\b(?!\s?g))/g, "$1")
    .replace(/\b(\d{3,4})(ti|super|xtx|xt|gre|d)(super)?\b/g, "$1 $2 $3")
    .replace(/\btisuper\b/g, "ti super");
  return new Set(text.split(/[^a-z0-9.]+/).filter((token) => token !== ""));
}

/** The words of a driver's name. The names of SXM modules say HBM3, or nothing. */
function wordsOf(name: string): ReadonlySet<string> {
  const tokens = tokensOf(name);
  if (tokens.has("pcie") || tokens.has("nvl")) return tokens;
  const isModule = ["h200", "h20", "b200", "b300", "hbm3"].some((one) => tokens.has(one));
  return isModule ? new Set([...tokens, "sxm"]) : tokens;
}

const fold = (name: string) =>
  name
    .replace(/\((r|tm)\)|®|™/gi, " ")
    // Input methods for Chinese and Japanese write wide letters, digits and spaces.
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s_]+/g, " ")
    .trim();

function pairsOf(name: string): Map<string, number> {
  const text = [...tokensOf(name)].filter((token) => !ignored.has(token)).join(" ");
  const pairs = new Map<string, number>();
  for (let at = 0; at < text.length - 1; at += 1) {
    const pair = text.slice(at, at + 2);
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  return pairs;
}

/** Dice's coefficient of two bags of letter pairs. */
function similarity(a: Map<string, number>, b: Map<string, number>): number {
  const size = (pairs: Map<string, number>) => [...pairs.values()].reduce((sum, count) => sum + count, 0);
  let both = 0;
  for (const [pair, count] of a) both += Math.min(count, b.get(pair) ?? 0);
  return (2 * both) / Math.max(1, size(a) + size(b));
}
