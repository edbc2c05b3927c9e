import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";

const built = join(import.meta.dirname, "../../console/built");
const assets = globSync("assets/*", { cwd: built });
const read = (path: string) => readFileSync(join(built, path), "utf8");
const gzipKb = (paths: Iterable<string>) =>
  [...paths].reduce((sum, path) => sum + gzipSync(read(path), { level: 9 }).length, 0) / 1000;

/** The files that are loaded with these ones: what they import statically, and so on. */
function withImports(paths: Iterable<string>): Set<string> {
  const found = new Set(paths);
  for (const path of found) {
    if (!path.endsWith(".js")) continue;
    for (const [, name = ""] of read(path).matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) {
      found.add(`assets/${name}`);
    }
  }
  return found;
}

describe("console: the built files", () => {
  const page = read("index.html");
  const named = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, path = ""]) => path);
  const market = assets.filter((path) => /^assets\/market-[\w-]+\.js$/.test(path));

  it("load the first page with at most 170 kB gzip", () => {
    expect(market).to.have.lengthOf(1);
    const first = withImports([...named, ...market]);
    expect(first.size).to.be.greaterThan(4);
    expect(gzipKb(first)).to.be.at.most(170);
  });

  it("do not load the wallet's code, charts or the other language with the first page", () => {
    const first = [...withImports([...named, ...market])].join(" ");
    expect(first).not.to.match(/assets\/(pomc|zh|keccak|uPlot|workspace|deploy)/);
  });

  it("have no inline script or style, and name no other server", () => {
    expect(page).not.to.match(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
    expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.to.match(/https?:\/\//);
    for (const path of assets.filter((one) => one.endsWith(".css"))) {
      expect(read(path)).not.to.match(/@import|url\(\s*["']?https?:/);
    }
  });
});
