import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as generated from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import type { Abi } from "viem";

const rootDir = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(rootDir, file), "utf8");

const pages: [string, Abi][] = [
  ["ComputeNode", generated.computeNodeAbi],
  ["DockerContract", generated.dockerContractAbi],
  ["Progress", generated.progressAbi],
  ["Measure", generated.measureAbi],
  ["ProofWaves", generated.proofWavesAbi],
  ["Escrow", generated.escrowAbi],
  ["Pomc", generated.pomcAbi],
  ["Token", generated.tokenAbi],
  ["Manager", generated.managerAbi],
];

/** The texts between backticks. */
function namesIn(page: string): Set<string> {
  const text = page.replaceAll(/^```[\s\S]*?^```$/gm, "");
  return new Set([...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ""));
}

describe("Pages of the contracts", () => {
  for (const [name, abi] of pages) {
    it(`name every function and event of ${name}, and only tests that exist`, () => {
      const page = read(`docs/contracts/${name}.md`);
      const named = namesIn(page);
      const members = abi.flatMap((item) => {
        return item.type === "function" || item.type === "event" ? [item.name] : [];
      });
      expect([...new Set(members)].filter((member) => !named.has(member))).to.deep.equal([]);
      expect(page).to.include("```mermaid");

      const tests = globSync("test/contracts/**/*.{ts,sol}", { cwd: rootDir }).map(read).join("\n");
      const attacks = page.slice(page.indexOf("## Attacks"));
      const italics = [...attacks.matchAll(/(?<=\s)_([^_]+)_(?=[\s,])/g)];
      const titles = italics.map(([, title]) => (title ?? "").replaceAll(/\s+/g, " "));
      const functions = [...namesIn(attacks)].filter((word) => /^(test|invariant)_/.test(word));
      expect(titles.length + functions.length).to.be.greaterThan(2);
      expect(titles.filter((title) => !tests.includes(`"${title}"`))).to.deep.equal([]);
      expect(functions.filter((word) => !tests.includes(`function ${word}(`))).to.deep.equal([]);
    });
  }
});
