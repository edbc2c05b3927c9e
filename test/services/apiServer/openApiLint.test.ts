import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { runToEnd } from "../../../scripts/embedded/command.ts";
import { type ApiMarket, setup } from "./setup.ts";

/** A WebSocket has no answer but 101. */
const ignored = `openapi.json:
  operation-2xx-response:
    - '#/paths/~1v1~1workspaces~1{id}~1exec~1{session}~1attach/get/responses'
`;

type Responses = Record<string, { $ref?: string; headers?: object; content?: object }>;

describe("apiServer: OpenAPI document", function () {
  this.timeout(180_000);
  let api: ApiMarket;
  before(async () => {
    api = await setup();
  });
  after(() => api?.stop());

  it("has no error and no warning of Redocly's recommended rules", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ngpu-openapi-"));
    const file = join(folder, "openapi.json");
    writeFileSync(file, await (await api.client.raw("/openapi.json")).text());
    writeFileSync(join(folder, "redocly.yaml"), "extends: [recommended]\n");
    writeFileSync(join(folder, ".redocly.lint-ignore.yaml"), ignored);
    const redocly = fileURLToPath(import.meta.resolve("@redocly/cli/bin/cli.js"));
    const args = [redocly, "lint", "--config", join(folder, "redocly.yaml"), "--format", "json", file];
    const { code, output } = await runToEnd(process.execPath, args, {
      cwd: folder,
      // Redocly calls nobody.
      env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", CI: "true" },
    });
    rmSync(folder, { recursive: true });
    const report = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1)) as {
      totals: object;
      problems: { message: string }[];
    };
    expect(report.problems).to.deep.equal([]);
    expect(report.totals).to.deep.equal({ errors: 0, warnings: 0, ignored: 1 });
    expect(code).to.equal(0);
  });

  it("describes each operation's errors, with their request ids and when to try again", () => {
    const { paths, components } = api.contract.document as unknown as {
      paths: Record<string, Record<string, { responses: Responses; security: unknown[] }>>;
      components: { responses: Responses };
    };
    for (const [path, methods] of Object.entries(paths)) {
      if (!path.startsWith("/v1/")) continue;
      for (const [method, { responses, security }] of Object.entries(methods)) {
        const expected = ["400", "429", "500", "503", ...(security.length === 0 ? [] : ["401"])];
        expect(Object.keys(responses), `${method} ${path}`).to.include.members(expected);
        for (const [status, response] of Object.entries(responses)) {
          const name = response.$ref?.split("/").at(-1) ?? "";
          const { headers = {}, content = {} } =
            response.$ref === undefined ? response : (components.responses[name] ?? {});
          expect(Object.keys(headers), `${method} ${path} ${status}`).to.include("x-request-id");
          if (["429", "503"].includes(status)) expect(Object.keys(headers)).to.include("retry-after");
          if (Number(status) < 400 || status === "default") continue;
          expect(JSON.stringify(content)).to.match(/#\/components\/schemas\/(Problem|OpenAiError)"/);
        }
      }
    }
  });

  it("fails a test whose answer it does not allow", () => {
    const answered = (status: number, body: string, type = "application/json") =>
      api.contract.errorsOf({
        method: "GET",
        path: "/v1/keys",
        status,
        body,
        headers: new Headers({ "content-type": type, "x-request-id": "a" }),
      });
    expect(answered(200, '{"keys":[]}')).to.deep.equal([]);
    expect(answered(418, '{"keys":[]}').join()).to.include("418 is not documented");
    expect(answered(200, '{"keys":[],"more":1}').join()).to.include("additional properties");
    expect(answered(200, "", "text/plain").join()).to.include("text/plain");
    expect(answered(401, '{"code":"a"}', "application/problem+json").join()).to.include("required property");
    expect(answered(500, "{}").join()).to.include("the server failed");
  });
});
