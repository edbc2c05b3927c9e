import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Registry } from "prom-client";
import { deadlines } from "../../scripts/reference/code/deadlines.ts";
import { errorCodes } from "../../scripts/reference/code/errorCodes.ts";
import { logEvents } from "../../scripts/reference/code/logEvents.ts";
import { meaningProblems } from "../../scripts/reference/code/meanings.ts";
import { metrics } from "../../scripts/reference/code/metrics.ts";
import { type Project, projectOf, readProject } from "../../scripts/reference/code/project.ts";
import { queueUses } from "../../scripts/reference/code/queues.ts";
import { item, wrapped } from "../../scripts/reference/markdown.ts";
import { tablesAfter } from "../../scripts/reference/sql/tables.ts";
import { staleIn, writePages } from "../../scripts/reference/write.ts";
import { createMetrics } from "../../services/dispense/metrics.ts";
import { rootDir } from "../support/parts.ts";

const classes = `
  abstract class NgpuError extends Error { constructor(message: string, options: ErrorOptions) { super(message); } }
  export class RetryableError extends NgpuError {}
  export class FatalError extends NgpuError {}
  export class InputError extends FatalError {}`;

const project = (text: string, others: Record<string, string> = {}): Project =>
  projectOf(
    Object.entries({ "services/a/errors.ts": classes, "services/a/a.ts": text, ...others }).map(
      ([file, each]) => ({ file, component: file.split("/").slice(0, 2).join("/"), text: each }),
    ),
  );

describe("error codes of the reference", () => {
  const found = (text: string, others?: Record<string, string>) => {
    const { codes, problems } = errorCodes(project(text, others));
    const shown = codes.map((each) =>
      [each.code, each.kind, each.status ?? "", each.messages.join("|"), each.hints.join("|")].join(" / "),
    );
    return { shown: shown.sort(), problems };
  };

  it("reads class, status, message and hint of an error that is raised", () => {
    const { shown, problems } = found(
      `throw new InputError(\`There is no node \${params.id}.\`, {
         code: "node_not_found", status: 404, hint: "List them.",
       });`,
    );
    expect(shown).to.deep.equal(["node_not_found / input / 404 / There is no node {id}. / List them."]);
    expect(problems).to.deep.equal([]);
  });

  it("names two values of one name in a sentence apart, and one value alike", () => {
    const { shown } = found(
      `throw new InputError(\`The endpoint serves chain \${chainId}; the deployment is on \${deployment.chainId}.\`, {
         code: "chain_mismatch", hint: \`Use chain \${deployment.chainId}.\` });
       throw new InputError(\`\${wanted.id} is not \${found.id}, and \${wanted.id} is needed.\`, {
         code: "id_wrong", hint: "Correct it." });`,
    );
    expect(shown).to.deep.equal([
      "chain_mismatch / input /  / The endpoint serves chain {chainId}; the deployment is on {deploymentChainId}. / Use chain {chainId}.",
      "id_wrong / input /  / {wantedId} is not {foundId}, and {wantedId} is needed. / Correct it.",
    ]);
  });

  it("follows a helper to each of its calls, also from another file", () => {
    const { shown, problems } = found(
      `export function refusal(status: number, code: string, message: string, hint: string) {
         return new InputError(message, { status, code, hint });
       }
       throw refusal(401, "clock_skewed", "The clocks differ.", "Use NTP.");`,
      {
        "services/b/b.ts": `import { refusal } from "../a/a.ts";
          throw refusal(403, "node_not_found", "No such node.", "Register it.");`,
      },
    );
    expect(shown).to.deep.equal([
      "clock_skewed / input / 401 / The clocks differ. / Use NTP.",
      "node_not_found / input / 403 / No such node. / Register it.",
    ]);
    expect(problems).to.deep.equal([]);
  });

  it("pairs a code with the class and the hint of the same side of a condition", () => {
    const { shown } = found(
      `const options = { code: status < 500 ? "refused" : "failed", hint: status < 500 ? "Ask otherwise." : "Wait." };
       const error = status < 500 ? new FatalError("No.", options) : new RetryableError("No.", options);`,
    );
    expect(shown).to.deep.equal([
      "failed / retryable / / No. / Wait.".replace("/ /", "/  /"),
      "refused / fatal / / No. / Ask otherwise.".replace("/ /", "/  /"),
    ]);
  });

  it("takes an answer that is written out, but no schema of one", () => {
    const { shown } = found(
      `send({ error: { code: "replica_unavailable", message: "None answers." } });
       z.object({ code: z.string(), message: z.string() });`,
    );
    expect(shown).to.deep.equal(["replica_unavailable / reply /  / None answers. / "]);
  });

  it("hands on the code of another error without listing it", () => {
    const { codes, passedOn, problems } = errorCodes(
      project("throw new FatalError('No.', { code: error.code });"),
    );
    expect([codes, problems]).to.deep.equal([[], []]);
    expect(passedOn).to.deep.equal([{ component: "services/a", file: "services/a/a.ts" }]);
  });

  it("reports a code that cannot be known, and an error without one", () => {
    const { shown, problems } = found(
      "new FatalError('No.', { code: names[Math.random()] });\nnew FatalError('No.', {});",
    );
    expect(shown).to.deep.equal([]);
    expect(problems).to.have.length(2);
    expect(problems[0]).to.include("services/a/a.ts:1: the code of this error cannot be known");
    expect(problems[1]).to.equal("services/a/a.ts:2: the error has no code");
  });
});

describe("hints and meanings of error codes", () => {
  const problemsOf = (text: string, others?: Record<string, string>) =>
    errorCodes(project(text, others)).problems;
  const lacking = (position: string, code: string) =>
    `services/${position}: the error ${code} has no hint that says what to do`;

  it("requires a hint of an error that is thrown and of an answer that is written out", () => {
    const problems = problemsOf(
      `throw new FatalError("No.", { code: "a_missing" });
       throw new FatalError("No.", { code: "b_missing", hint: "" });
       throw new FatalError("No.", { code: "c_missing", hint: late ? "Wait." : undefined });
       throw new FatalError("No.", { code: "d_missing", hint: "Wait." });
       throw new FatalError("No.", { code: "e_missing", hint: other.hint ?? "Wait." });
       send({ code: "f_missing", message: "No." });
       send({ code: "g_missing", message: "No.", hint: "Wait." });`,
    );
    expect(problems).to.deep.equal([
      lacking("a/a.ts:1", "a_missing"),
      lacking("a/a.ts:2", "b_missing"),
      lacking("a/a.ts:3", "c_missing"),
      lacking("a/a.ts:6", "f_missing"),
    ]);
  });

  it("names the call that passes no hint to a helper", () => {
    const problems = problemsOf(
      `export const refusal = (code: string, hint?: string) => new InputError("No.", { code, hint });
       throw refusal("a_missing", "Wait.");`,
      { "services/b/b.ts": `import { refusal } from "../a/a.ts";\nthrow refusal("b_missing");` },
    );
    expect(problems).to.deep.equal([lacking("b/b.ts:2", "b_missing")]);
  });

  it("requires one meaning of each code, and one code of each meaning", () => {
    const found = [
      { code: "a", position: "a.ts:1" },
      { code: "b", position: "a.ts:2" },
      { code: "new", position: "b.ts:3" },
    ];
    const meanings = { a: "It fails.", b: "It fails.", gone: "It is not thrown." };
    const file = "scripts/reference/errorMeanings.ts";
    expect(meaningProblems(found, meanings)).to.deep.equal([
      `b.ts:3: ${file} does not say what new means`,
      `${file}: no error has the code gone`,
      `${file}: a and b have the same meaning`,
    ]);
    expect(meaningProblems(found.slice(0, 1), { a: "It fails." })).to.deep.equal([]);
  });

  it("takes the text of a table by its key", () => {
    const { codes } = errorCodes(
      project(
        `const texts = { a: { message: "A fails.", hint: "Do a." }, b: { message: "B fails.", hint: "Do b." } };
         const error = (code: keyof typeof texts) =>
           new FatalError(texts[code].message, { code, hint: texts[code].hint });
         throw error("a");
         throw error("b");`,
      ),
    );
    expect(codes.map(({ code, messages, hints }) => [code, messages, hints])).to.deep.equal([
      ["a", ["A fails."], ["Do a."]],
      ["b", ["B fails."], ["Do b."]],
    ]);
  });
});

describe("log events of the reference", () => {
  it("lists level and fields, those of spread constants included", () => {
    const { events, problems } = logEvents(
      project(`const ids = { nodeId, lease };
        deps.logger.info({ event: done ? "step_done" : "step_left", ...ids, ...more });`),
    );
    const fields = ["nodeId", "lease", "…"];
    const at = { level: "info", fields, component: "services/a", file: "services/a/a.ts" };
    expect(events).to.deep.equal([
      { event: "step_done", ...at },
      { event: "step_left", ...at },
    ]);
    expect(problems).to.deep.equal([]);
  });

  it("reports an event made at run time", () => {
    const { problems } = logEvents(project("logger.warn({ event: 'message_' + status });"));
    expect(problems).to.deep.equal(["services/a/a.ts:1: this log line's event cannot be known"]);
  });
});

describe("metrics and queues of the reference", () => {
  const real = readProject(rootDir);

  it("gives a metric for each call of a helper", () => {
    const { metrics: found, problems } = metrics(
      project(`import { Gauge } from "prom-client";
        const gauge = (name: string, help: string) => new Gauge({ name: \`ngpu_\${name}\`, help, labelNames: ["role"] });
        gauge("open", "Open now");
        gauge("closed", "Closed now");`),
    );
    expect(found.map(({ name, type, labels, help }) => [name, type, labels, help])).to.deep.equal([
      ["ngpu_open", "gauge", ["role"], "Open now"],
      ["ngpu_closed", "gauge", ["role"], "Closed now"],
    ]);
    expect(problems).to.deep.equal([]);
  });

  it("finds the metrics that a program registers", () => {
    const registry = new Registry();
    createMetrics(registry);
    const registered = registry.getMetricsAsArray().map(({ name }) => name);
    const found = metrics(real).metrics.filter(({ component }) => component === "services/dispense");
    expect(found.map(({ name }) => name).sort()).to.deep.equal(registered.sort());
  });

  it("knows who serves each queue", () => {
    const { queues, problems } = queueUses(real);
    expect(problems).to.deep.equal([]);
    for (const { name, openedBy, servedBy } of queues) {
      expect(openedBy, name).not.to.deep.equal([]);
      expect(servedBy, name).to.have.length(1);
    }
  });
});

describe("tables of the reference", () => {
  const migrated = (...sql: string[]) =>
    tablesAfter(
      sql.map((text, place) => ({ file: `${place}.sql`, sql: text })),
      ["app.migration"],
    );

  it("follows the migrations to columns, comments and grants", () => {
    const { tables, problems } = migrated(
      `-- Up Migration
-- About the file.

-- Steps; each once.
create table app.step (
  id bigint generated always as identity primary key,
  -- asked, or done
  status text not null check (status in ('asked', 'done')),
  amount numeric(78, 0)
);
grant select, insert on app.step to ngpu_match, ngpu_api;
grant select on app.migration to ngpu_api;
-- Down Migration
drop table app.step;`,
      `alter table app.step
  -- Since when.
  add column since timestamptz not null default now(),
  drop column amount;
revoke insert on app.step from ngpu_api;`,
    );
    const step = tables.get("app.step");
    expect(problems).to.deep.equal([]);
    expect(step?.says).to.equal("Steps; each once.");
    expect(step?.key).to.deep.equal(["id"]);
    expect(step?.columns).to.deep.equal([
      { name: "id", type: "bigint", mayBeNull: false, values: [], says: "" },
      { name: "status", type: "text", mayBeNull: false, values: ["asked", "done"], says: "asked, or done" },
      { name: "since", type: "timestamptz", mayBeNull: false, values: [], says: "Since when." },
    ]);
    const grants = [...(step?.grants ?? [])].map(([role, held]) => [role, [...held]]);
    expect(grants).to.deep.equal([
      ["ngpu_match", ["select", "insert"]],
      ["ngpu_api", ["select"]],
    ]);
  });

  it("follows a table to another name, with its privileges", () => {
    const { tables, problems } = migrated(
      "create table app.step (id bigint primary key); grant select on app.step to ngpu_api;",
      "alter table app.step rename to act; grant insert on app.act to ngpu_api;",
      "alter table app.step rename to none;",
    );
    expect([...tables.keys()]).to.deep.equal(["app.act"]);
    expect([...(tables.get("app.act")?.grants.get("ngpu_api") ?? [])]).to.deep.equal(["select", "insert"]);
    expect(problems).to.have.lengthOf(1);
    expect(problems[0]).to.include("renames app.step, which is not there");
  });

  it("reports a statement that it does not understand", () => {
    const { problems } = migrated("merge into app.step using x on true when matched then delete;");
    expect(problems).to.have.length(1);
  });
});

describe("pages of the reference", () => {
  it("are stale when one differs, is missing or is left over", () => {
    const folder = mkdtempSync(join(tmpdir(), "reference-"));
    try {
      const pages = new Map([
        ["a.md", "a"],
        ["b.md", "b"],
      ] as const);
      expect(staleIn(folder, pages)).to.deep.equal(["a.md is not current", "b.md is not current"]);
      writePages(folder, pages);
      expect(staleIn(folder, pages)).to.deep.equal([]);
      writeFileSync(join(folder, "a.md"), "changed");
      writeFileSync(join(folder, "c.md"), "c");
      expect(staleIn(folder, pages)).to.deep.equal([
        "a.md is not current",
        "c.md is no page of the reference",
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("have lines of at most 120 characters that begin no list by accident", () => {
    const text = wrapped(`${"word ".repeat(23)}end - not an item`);
    for (const line of text.split("\n")) expect(line.length).to.be.at.most(120);
    expect(text).not.to.match(/^- /m);
    expect(item("a", 1)).to.equal("  - a");
  });
});

describe("deadlines of the reference", () => {
  it("reads constants and properties with their comment", () => {
    const found = deadlines(
      project(`
        /** @deadline The engine. The call is repeated. Twice. */
        export const silence = 120_000;
        const of = {
          /**
           * @deadline An answer of
           * Postgres. The connection is closed.
           */
          answer: 5_000,
        };`),
    );
    expect(found.problems).to.deep.equal([]);
    expect(
      found.deadlines.map(({ name, milliseconds, on, outcome }) => [name, milliseconds, on, outcome]),
    ).to.deep.equal([
      ["silence", 120_000, "The engine", "The call is repeated. Twice."],
      ["answer", 5_000, "An answer of Postgres", "The connection is closed."],
    ]);
  });

  for (const [what, text] of [
    ["a constant", "const stopDeadline = 3_000;"],
    ["an option", "connect({ connectTimeout: 5_000 });"],
    ["a signal", "fetch(url, { signal: AbortSignal.timeout(5_000) });"],
    ["an option in milliseconds", "connect({ connectionTimeoutMillis: 5_000 });"],
    ["a product", "const stopDeadline = 3 * 1_000;"],
    ["a default", "function stop(deadline = 3_000) {}"],
    ["a signal's product", "fetch(url, { signal: AbortSignal.timeout(5 * 1_000) });"],
    ["a signal's constant", "const most = 5_000; fetch(url, { signal: AbortSignal.timeout(most) });"],
    ["a signal's option", "const of = { most: 5_000 }; AbortSignal.timeout(of.most);"],
    ["a signal's fallback", "const wait = (ms) => AbortSignal.timeout(ms ?? 5_000);"],
    ["a timer", "setTimeout(() => socket.destroy(), 5_000);"],
    ["a timer's constant", "const most = 5_000; setTimeout(() => socket.destroy(), 2 * most);"],
    ["a socket's timer", "socket.setTimeout(5_000, cut);"],
    [
      "a pause without a name",
      'import { setTimeout as sleep } from "node:timers/promises"; await sleep(5_000);',
    ],
    ["a wait without an outcome", "/** @deadline The engine. */ const silence = 1_000;"],
    ["a comment without a number", "/** @deadline The engine. It is asked again. */ wait();"],
  ] as const) {
    it(`reports ${what} that the page would lack`, () => {
      expect(deadlines(project(text)).problems).to.have.length(1);
    });
  }

  it("accepts timers with a tag, pauses with a name, and times that are given", () => {
    const { problems } = deadlines(
      project(`
        import { setTimeout as sleep } from "node:timers/promises";
        /** @deadline The peer. It is cut. */
        const silence = 5_000;
        const of = { /** @deadline The start. It fails. */ start: 60 * 1_000 };
        const retryPause = 250;
        setTimeout(() => socket.destroy(), 1.5 * silence);
        fetch(url, { signal: AbortSignal.timeout(of.start) });
        setTimeout(flush, retryPause);
        await sleep(retryPause);
        socket.setTimeout(0);
        const within = (ms) => AbortSignal.timeout(ms);`),
    );
    expect(problems).to.deep.equal([]);
  });
});
