import { expect } from "chai";
import pg from "pg";
import { createDatabase } from "../../scripts/embedded/databases.ts";
import { dropOtherTemplates, migratedTemplate } from "../../scripts/embedded/template.ts";
import { testCluster } from "../support/postgres.ts";

describe("the migrated database that others are copied from", function () {
  this.timeout(60_000);

  it("is made once for a set of migrations, and replaces those of other sets", async () => {
    const url = await testCluster();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const names = async () =>
      (await client.query("select datname from pg_database")).rows.map((r) => r.datname);
    try {
      await createDatabase(url, "template_of_before");
      const template = await migratedTemplate(url);
      expect(await migratedTemplate(url)).to.equal(template);
      await dropOtherTemplates(url, template);
      expect(await names())
        .to.include.members([template, "template0", "template1", "postgres"])
        .and.not.include("template_of_before");
    } finally {
      await client.end();
    }
  });
});
