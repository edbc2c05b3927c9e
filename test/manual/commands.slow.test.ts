import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { openDocsMarket } from "../services/apiServer/docsMarket.ts";
import { blocksIn, differences, openShell } from "../services/apiServer/docsPages.ts";
import { image } from "../services/apiServer/partner.ts";
import { rootDir } from "../support/parts.ts";

/**
 * Pages whose commands `ngpu` carries out on a market. Those in other languages have the same commands and outputs
 * (test/docs/manual.test.ts).
 */
const pages = ["en/partners.md"];

describe("the manual's commands", function () {
  this.timeout(600_000);
  let market: Awaited<ReturnType<typeof openDocsMarket>>;
  let folder: string;
  before(async () => {
    market = await openDocsMarket();
    folder = mkdtempSync(join(tmpdir(), "ngpu-manual-"));
  });
  after(async () => {
    await market.stop();
    rmSync(folder, { recursive: true });
  });

  for (const page of pages) {
    it(`${page}: a new wallet runs all in order, and sees what the page shows`, async () => {
      const chatImage = join(folder, "chat-image");
      writeFileSync(chatImage, `${image}\n`);
      const here = (text: string) =>
        text
          .replaceAll("http://127.0.0.1:8080", market.api.url)
          .replaceAll("wallet.key", join(folder, page.replace("/", "-")))
          .replaceAll(".ngpu/chat-image", chatImage);
      await using shell = openShell(folder);
      await shell.run(`export XDG_CONFIG_HOME=${join(folder, page.slice(0, 2))} NO_COLOR=1`);
      let output = "";
      const differing: string[] = [];
      for (const { language, text } of blocksIn(readFileSync(join(rootDir, "docs/manual", page), "utf8"))) {
        if (language === "sh") {
          output = "";
          for (const line of here(text)
            .trimEnd()
            .split(/(?<!\\)\n/)) {
            const done = await shell.run(line);
            expect(done.code, `${line}\n${done.output}${done.errors}`).to.equal(0);
            output += done.output;
          }
          continue;
        }
        expect(language).to.equal("text");
        differing.push(...differences(anyLines(folded(text)), folded(output)));
      }
      expect(differing).to.deep.equal([]);
    });
  }
});

/** Columns and lines without the width of what was printed. */
const folded = (text: string) => text.trim().replaceAll(/ +/g, " ");

/** A line that is … stands for any number of lines. */
const anyLines = (shown: string) => shown.replaceAll(/^…\n/gm, "…");
