import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { createProgram } from "../../cli/program.ts";
import { candidates } from "../../cli/setup/completion.ts";
import { safe } from "../../cli/shared/output.ts";
import { table } from "../../cli/shared/table.ts";
import { about, ago, hourly, parsePrice, parseSeconds, parseTokens, tokens } from "../../cli/shared/units.ts";
import { rootDir } from "../support/parts.ts";

describe("units of the command line", () => {
  it("show token units as NGPU", () => {
    expect(["0", "1", "5000000000000000000", "1234500000000000000"].map(tokens)).to.deep.equal([
      "0",
      "0.000000000000000001",
      "5",
      "1.2345",
    ]);
    expect(tokens(-5n * 10n ** 17n)).to.equal("-0.5");
    expect([about("1234567890000000000"), hourly("277777777777777")]).to.deep.equal(["1.235", "1"]);
    expect([0, 59, 60, 7_300, 90_000].map(ago)).to.deep.equal(["0s", "59s", "1m", "2h", "1d"]);
  });

  it("are read from amounts, prices and durations", () => {
    expect(parseTokens("2.5")).to.equal(25n * 10n ** 17n);
    expect([parsePrice("1000"), parsePrice("3.6/h")]).to.deep.equal(["1000", "1000000000000000"]);
    expect(["30s", "10m", "2h", "7d"].map(parseSeconds)).to.deep.equal([30, 600, 7_200, 604_800]);
  });

  for (const [parse, texts] of [
    [parseTokens, ["", "-1", "1e18", "1.", ".5", "1,5", "0.0000000000000000001"]],
    [parsePrice, ["", "1/d", "-1/h", "x/h"]],
    [parseSeconds, ["", "10", "1.5h", "-1s", "1w"]],
  ] as const) {
    it(`are refused by ${parse.name} when they are something else`, () => {
      for (const text of texts) expect(() => parse(text), text).to.throw(/is not/);
    });
  }
});

describe("tables of the command line", () => {
  const columns = [{ title: "ID", right: true }, { title: "IMAGE", cut: true }, { title: "STATUS" }];
  const rows = [
    ["7", "registry.example/team/chat@0123456789ab", "running"],
    ["12", "short", "stopped"],
  ];

  it("align their columns", () => {
    expect(table(columns, rows, undefined).split("\n")).to.deep.equal([
      "ID  IMAGE                                    STATUS",
      " 7  registry.example/team/chat@0123456789ab  running",
      "12  short                                    stopped",
    ]);
  });

  it("fit the terminal where a column may be cut", () => {
    const lines = table(columns, rows, 40).split("\n");
    for (const line of lines) expect(line.length).to.be.at.most(40);
    expect(lines[1]).to.match(/…\s+running$/);
    expect(lines[2]).to.match(/^12 {2}short\s+stopped$/);
  });
});

describe("text of a container on a terminal", () => {
  it("has no codes that the terminal would obey", () => {
    expect(safe("a\u001b[31mred\u001b[0m\u0007\u001b]0;title\u0007 b\tc\nd\u009b2J")).to.equal(
      "ared b\tc\nd",
    );
  });
});

describe("the command tree", () => {
  const program = createProgram();
  const words = (...typed: string[]) => candidates(program, typed).map((line) => line.split("\t")[0]);

  it("completes commands, subcommands, options and their values", () => {
    expect(words("de")).to.deep.equal(["deploy", "describe", "deposit"]);
    expect(words("market", "")).to.deep.equal(["nodes", "gpus", "node"]);
    expect(words("deploy", "--max")).to.deep.equal(["--max-price"]);
    expect(words("--api", "http://127.0.0.1", "verify", "r")).to.deep.equal(["receipt", "refund", "reward"]);
    expect(words("completion", "")).to.deep.equal(["bash", "zsh", "fish"]);
    expect(words("ps", "--j")).to.deep.equal(["--json"]);
    expect(words("deploy", "--image", "")).to.deep.equal([]);
    expect(words("")).not.to.include("__complete");
  });

  it("loads only small packages until a command runs", () => {
    const loaded = staticImports("cli/index.ts");
    expect(loaded.packages).to.deep.equal(["commander"]);
    expect(loaded.files.filter((file) => file.startsWith("packages/")).sort()).to.deep.equal([
      "packages/protocol/placement/strategies.ts",
      "packages/runtime/version.ts",
      "packages/runtime/wholeNumber.ts",
    ]);
  });
});

/** The files and npm packages that a file imports before anything runs; types and dynamic imports are left out. */
function staticImports(entry: string) {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(join(rootDir, file), "utf8");
    for (const [, from = ""] of text.matchAll(/^import (?!type )[^;]*?from "([^"]+)"/gm)) {
      if (from.startsWith("node:") || from.endsWith(".json")) continue;
      const own = /^@ngpu\/([^/]+)\/(.+)$/.exec(from);
      if (from.startsWith(".")) visit(join(dirname(file), from));
      else if (own !== null) visit(`packages/${own[1]}/${own[2]}.ts`);
      else packages.add(from);
    }
  };
  visit(entry);
  return { files: [...files], packages: [...packages] };
}
