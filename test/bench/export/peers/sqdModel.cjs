// Copied to lib/model/index.js, from which SQD loads the entities: one class for each table of tables.json.
const { Column, Entity, PrimaryColumn } = require("typeorm");

const bigint = { to: (value) => value, from: (value) => BigInt(value) };

for (const { table, columns } of require("../../tables.json")) {
  const model = {
    [table]: class {
      constructor(props) {
        Object.assign(this, props);
      }
    },
  }[table];
  PrimaryColumn({ type: "text", name: "id" })(model.prototype, "id");
  const add = (name, type) =>
    Column(type, { name, nullable: false, ...(type === "numeric" ? { transformer: bigint } : {}) })(
      model.prototype,
      name,
    );
  add("block_number", "int4");
  add("block_hash", "text");
  add("block_time", "timestamptz");
  add("tx_hash", "text");
  add("log_index", "int4");
  for (const { name, type } of columns) add(name, type.split("(")[0]);
  Entity({ name: table })(model);
  exports[table] = model;
}
