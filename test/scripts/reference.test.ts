import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Registry } from "prom-client";
import { errorCodes } from "../../scripts/reference/code/errorCodes.ts";
import { logEvents } from "../../scripts/reference/code/logEvents.ts";
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

  it("follows a helper to each of its calls, also from another file", () => {
    const { shown, problems } = found(
      `export function refusal(status: number, code: string, message: string) {
         return new InputError(message, { status, code });
       }
       throw refusal(401, "clock_skewed", "The clocks differ.");`,
      {
        "services/b/b.ts": `import { refusal } from "../a/a.ts";
          throw refusal(403, "node_not_found", "No such node.");`,
      },
    );
    expect(shown).to.deep.equal([
      "clock_skewed / input / 401 / The clocks differ. / ",
      "node_not_found / input / 403 / No such node. / ",
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
