import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cleanText, lastLines, logLimits, startOf } from "@ngpu/protocol/reasons/boundedText";
import { parseNodeReason, reasonKey } from "@ngpu/protocol/reasons/nodeReason";
import { reasons } from "@ngpu/protocol/reasons/reasons";
import { clientMessage } from "@ngpu/protocol/wire";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";

const rootDir = join(import.meta.dirname, "../../..");
const bytes = (text: string) => Buffer.byteLength(text);
// Any bytes, as a container writes them and the client decodes them, and any string of UTF-16.
const anyText = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }).map((raw) => Buffer.from(raw).toString("utf8")),
  fc.string({ unit: "binary", maxLength: 2_000 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 500 })
    .map((codes) => String.fromCharCode(...codes)),
);

describe("texts of reasons", () => {
  it("carry any bytes within their limits, without NUL and halves of characters", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 100 }), (text, limit) => {
        for (const made of [startOf(text, limit), lastLines(text.repeat(9)), cleanText(text)]) {
          expect(made.isWellFormed()).to.equal(true);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
          expect(made).not.to.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
        }
        expect(bytes(startOf(text, limit))).to.be.at.most(limit);
        const log = lastLines(text.repeat(9));
        expect(bytes(log)).to.be.at.most(logLimits.bytes);
        expect(log.split("\n")).to.have.length.at.most(logLimits.lines);
        expect(parseNodeReason("container_exited", { exitCode: 1, starts: 1, log })).not.to.have.property(
          "invalid",
        );
      }),
      { numRuns: runs(200) },
    );
  });

  it("keep the start of an answer and the end of a log", () => {
    expect(startOf("añb", 2)).to.equal("a");
    expect(startOf("añb", 3)).to.equal("añ");
    const lines = Array.from({ length: 60 }, (_one, number) => `line ${number}`);
    expect(lastLines(`${lines.join("\r\n")}\n`)).to.equal(lines.slice(10).join("\n"));
    expect(lastLines(`${"é".repeat(10_000)}end`)).to.match(/^é+end$/);
  });
});

describe("a node's reason", () => {
  const invalid = (code: string, details: unknown) => {
    const parsed = parseNodeReason(code, details);
    return "invalid" in parsed ? parsed.invalid : undefined;
  };

  it("has a code of a node and details within their bounds", () => {
    const exited = { exitCode: 7, starts: 2, log: "out" };
    expect(parseNodeReason("container_exited", exited)).to.deep.equal({
      code: "container_exited",
      details: exited,
    });
    expect(invalid("no_node_fits", {})).to.equal("code");
    expect(invalid("unheard_of", {})).to.equal("code");
    expect(invalid("__proto__", {})).to.equal("code");
    expect(invalid("constructor", {})).to.equal("code");
    expect(invalid("container_exited", undefined)).to.equal("details.");
    expect(invalid("container_exited", { ...exited, exitCode: 2 ** 40 })).to.equal("details.exitCode");
    expect(invalid("container_exited", { ...exited, log: "a\0b" })).to.equal("details.log");
    expect(invalid("container_exited", { ...exited, log: "\ud800" })).to.equal("details.log");
    expect(invalid("container_exited", { ...exited, log: "é".repeat(5_000) })).to.equal("details.log");
    expect(invalid("container_exited", { ...exited, more: 1 })).to.equal("details.");
    expect(invalid("health_failing", { path: "/", port: 1, answer: "x".repeat(3_000) })).to.equal(
      "details.answer",
    );
  });

  it("is the same reason when only the evidence differs", () => {
    const key = (exitCode: number, log: string) =>
      reasonKey("container_exited", { exitCode, starts: 1, log });
    expect(key(7, "at 10:00")).to.equal(key(7, "at 10:01"));
    expect(key(7, "")).not.to.equal(key(8, ""));
  });

  it("passes as a message whatever its code and details are: match sets an unknown one aside", () => {
    const report = { type: "reason", workspaceId: "1", replica: 0, lease: 1, fence: "0xab", count: 1 };
    fc.assert(
      fc.property(fc.string({ maxLength: 64 }), fc.json(), (code, details) => {
        const text = code.replaceAll("\0", "").toWellFormed().slice(0, 60);
        const parsed = clientMessage.safeParse({ ...report, code: text, details: JSON.parse(details) });
        expect(parsed.success).to.equal(true);
      }),
      { numRuns: runs(100) },
    );
    expect(clientMessage.safeParse({ ...report, code: null, details: {} }).success).to.equal(true);
  });
});

describe("the list of reasons", () => {
  it("has only codes that the node client or a service gives", () => {
    const files = ["node-client", "services"].flatMap((folder) =>
      globSync(`${folder}/**/*.ts`, { cwd: rootDir }).filter((file) => !file.includes("node_modules")),
    );
    const code = files.map((file) => readFileSync(join(rootDir, file), "utf8")).join("\n");
    expect(Object.keys(reasons).filter((one) => !code.includes(`"${one}"`))).to.deep.equal([]);
  });

  it("has a sentence and what to do for each code", () => {
    for (const [code, { message, hint }] of Object.entries(reasons)) {
      expect(code).to.match(/^[a-z]+(_[a-z]+)*$/);
      expect(message, code).to.match(/^[A-Z].*\.$/);
      expect(hint, code).to.match(/^[A-Z].*\.$/);
    }
  });
});
