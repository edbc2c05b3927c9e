import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { Command } from "commander";
import { createProgram } from "../../cli/program.ts";
import { chapterOf, type ManualChapter } from "../../console/build/manual.ts";
import { en } from "../../console/src/i18n/en.ts";
import { zh } from "../../console/src/i18n/zh.ts";
import { chapters, search } from "../../console/src/pages/manual/search.ts";
import { addDoctorCommand } from "../../node-client/commands/doctor.ts";
import { addKeyCommands } from "../../node-client/commands/keyCommands.ts";
import { addLogsCommand } from "../../node-client/commands/logs.ts";
import { addMaintenanceCommands } from "../../node-client/commands/maintenanceCommands.ts";
import { addOperatorCommands } from "../../node-client/commands/operatorCommands.ts";
import { rootDir } from "../support/parts.ts";

const languages = { en, zh } as const;
const names = Object.keys(languages) as (keyof typeof languages)[];
const folder = join(rootDir, "docs/manual");
const pageOf = (language: string, chapter: string) =>
  readFileSync(join(folder, language, `${chapter}.md`), "utf8");
const all = names.flatMap((language) => chapters.map((chapter) => ({ language, chapter })));
const commandsOf = ({ sections }: ManualChapter) =>
  sections.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "text" ? [] : [part])));

const nodeClient = new Command("ngpu-node");
addOperatorCommands(nodeClient);
addKeyCommands(nodeClient);
addMaintenanceCommands(nodeClient);
addLogsCommand(nodeClient);
addDoctorCommand(nodeClient);
const programs: Record<string, Command> = { ngpu: createProgram(), "ngpu-node": nodeClient };
const { scripts } = JSON.parse(readFileSync(join(rootDir, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

/** What is wrong with a command of the manual: a program, a command or an option that does not exist. */
function unknownIn(line: string): string[] {
  const script = /\bnpm run ([\w:]+)/.exec(line)?.[1];
  if (script !== undefined) return script in scripts ? [] : [`npm run ${script}`];
  return [...line.matchAll(/(?:^|[\s("$])(ngpu(?:-node)?) ([^|)"]+)/g)].flatMap(
    ([, program = "", rest = ""]) => {
      const root = programs[program] as Command;
      const words = rest.trim().split(/\s+/);
      let command = root;
      while (words[0] !== undefined) {
        const next = command.commands.find((one) => one.name() === words[0]);
        if (next === undefined) break;
        command = next;
        words.shift();
      }
      const isGroup = command.commands.length > 0 && words[0] !== undefined && !words[0].startsWith("-");
      const missing = isGroup && command === root ? [`${program} ${words[0]}`] : [];
      const known = [...command.options, ...root.options].flatMap(({ long, short }) => [long, short]);
      const options = words.filter(
        (word) => /^--?[a-z]/.test(word) && word !== "--help" && word !== "--version",
      );
      return [
        ...missing,
        ...options.filter((option) => !known.includes(option)).map((option) => `${program} ${option}`),
      ];
    },
  );
}

describe("the manual", () => {
  it("has the same tasks, commands and outputs in both languages", () => {
    for (const chapter of chapters) {
      const [english, chinese] = names.map((language) => chapterOf(pageOf(language, chapter)));
      if (english === undefined || chinese === undefined) throw new Error("There are two languages.");
      expect(commandsOf(chinese), chapter).to.deep.equal(commandsOf(english));
      expect(chinese.sections.map(({ parts }) => parts.length)).to.deep.equal(
        english.sections.map(({ parts }) => parts.length),
      );
    }
  });

  it("names programs, commands and options that exist", () => {
    expect(unknownIn("ngpu deploy --never")).to.deep.equal(["ngpu --never"]);
    expect(unknownIn("sudo ngpu-node dance")).to.deep.equal(["ngpu-node dance"]);
    for (const { language, chapter } of all) {
      const lines = commandsOf(chapterOf(pageOf(language, chapter))).flatMap(({ kind, text }) =>
        kind === "commands" ? text.split("\n") : [],
      );
      expect(lines.length, chapter).to.be.greaterThan(5);
      for (const line of lines) expect(unknownIn(line), line).to.deep.equal([]);
    }
  });

  it("names what the console shows, in its language", () => {
    let named = 0;
    for (const { language, chapter } of all) {
      const shown = new Set<string>(Object.values(languages[language]));
      for (const [, words = ""] of pageOf(language, chapter).matchAll(/\*\*([^*]+)\*\*/g)) {
        named += 1;
        expect([...shown], `${language}/${chapter}: ${words}`).to.include(words);
      }
    }
    expect(named).to.be.greaterThan(40);
  });

  it("says what each task ends with", () => {
    for (const { language, chapter } of all) {
      for (const { title, parts } of chapterOf(pageOf(language, chapter)).sections) {
        if (!parts.some(({ kind }) => kind === "commands") || title === "") continue;
        const said = parts.some((part) =>
          part.kind === "text" ? /Result:|结果：/.test(part.html) : part.kind === "output",
        );
        expect(said, `${language}/${chapter}: ${title}`).to.equal(true);
      }
    }
  });

  it("links to files and tasks that exist", () => {
    for (const { language, chapter } of all) {
      for (const [, target = "", anchor] of pageOf(language, chapter).matchAll(
        /\]\(([^)#]*)(?:#([^)]*))?\)/g,
      )) {
        const path = join(folder, language, target === "" ? `${chapter}.md` : target);
        expect(existsSync(path), `${chapter}: ${target}`).to.equal(true);
        if (anchor === undefined || dirname(path) !== join(folder, language)) continue;
        const ids = chapterOf(readFileSync(path, "utf8")).sections.map(({ id }) => id);
        expect(ids, `${language}/${chapter}`).to.include(anchor);
      }
    }
  });

  it("becomes pages whose links lead to the console's own chapters, and shows the path of any other file", () => {
    const { title, sections } = chapterOf(
      "# T\n\nSee [wallets](wallets.md#claim), [here](#b-c) and [rewards](../../rewards.md).\n\n## B, c\n\n```sh\na < b\n```\n",
    );
    expect(title).to.equal("T");
    expect(sections[0]?.parts).to.deep.equal([
      {
        kind: "text",
        html: '<p>See <a href="/manual/wallets#claim">wallets</a>, <a href="#b-c">here</a> and rewards (<code>docs/rewards.md</code>).</p>\n',
      },
    ]);
    expect(sections[1]).to.deep.equal({
      id: "b-c",
      title: "B, c",
      parts: [{ kind: "commands", text: "a < b" }],
    });
  });

  it("is searched by all words, those of titles first", () => {
    for (const language of names) {
      const manual = chapters.map((chapter) => [chapter, chapterOf(pageOf(language, chapter))] as const);
      const [first] = search(manual, "ngpu logs chat");
      expect(first).to.include({ chapter: "partners" });
      expect(first?.excerpt).to.include("logs");
      expect(search(manual, "no-such-word logs")).to.deep.equal([]);
      expect(search(manual, "  ")).to.deep.equal([]);
    }
    const english = chapters.map((chapter) => [chapter, chapterOf(pageOf("en", chapter))] as const);
    expect(search(english, "claim")[0]).to.include({ chapter: "wallets", id: "claim", title: "Claim" });
  });
});
