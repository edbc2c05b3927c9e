import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Command } from "commander";
import { createProgram } from "../../cli/program.ts";
import { rootDir } from "../support/parts.ts";

const page = readFileSync(join(rootDir, "docs/cli.md"), "utf8");
const program = createProgram();

/** The command that words lead to. */
function commandOf(words: readonly string[]): Command {
  const [word, ...rest] = words;
  const found = program.commands.find((each) => each.name() === word);
  return found?.commands.find((each) => each.name() === rest[0]) ?? found ?? program;
}

describe("docs/cli.md", () => {
  it("names commands and options that exist", () => {
    const named = [...page.matchAll(/\bngpu ((?:[a-z]+ ?)+)((?:[^`#\n]|#(?! ))*)/g)];
    expect(named.length).to.be.greaterThan(20);
    for (const [text, words = "", rest = ""] of named) {
      const command = commandOf(words.trim().split(" "));
      expect(command, text).not.to.equal(program);
      const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short]);
      for (const [option] of rest.matchAll(/(?<=^|\s)--?[a-z][a-z-]*/g))
        expect(known, text).to.include(option);
    }
  });

  it("compares ten tasks, none of which takes fewer steps elsewhere", () => {
    const rows = [...page.matchAll(/^\| \d+\. .*$/gm)].map(([line]) => line.split("|").slice(2, -1));
    expect(rows).to.have.length(10);
    for (const [own = "", ...others] of rows) {
      for (const other of others) {
        if (other.trim() !== "–") expect(Number(own), own).to.be.at.most(Number(other));
      }
    }
  });
});
