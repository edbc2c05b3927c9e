// Copied to SQD's directory: indexes the events of tables.json as SQD's documentation shows.
const { EvmBatchProcessor } = require("@subsquid/evm-processor");
const { TypeormDatabase } = require("@subsquid/typeorm-store");
const { createOrmConfig } = require("@subsquid/typeorm-config");
const abi = require("@subsquid/evm-abi");
const codec = require("@subsquid/evm-codec");
const { DataSource } = require("typeorm");
const model = require("./lib/model/index.js");
const tables = require("./tables.json");

const task = JSON.parse(process.argv[2]);
const byTopic = new Map(tables.map((table) => [table.topic, { ...table, event: eventOf(table) }]));

main();

async function main() {
  const source = new DataSource({ ...createOrmConfig(), synchronize: true });
  await source.initialize();
  await source.destroy();
  const processor = new EvmBatchProcessor()
    .setRpcEndpoint({ url: task.rpcUrl, capacity: 25, maxBatchCallSize: 100 })
    .setRpcDataIngestionSettings({ headPollInterval: 1_000 })
    .setFinalityConfirmation(1)
    .setBlockRange({ from: Number(task.startBlock), to: Number(task.last) })
    .addLog({ address: [task.address], topic0: [...byTopic.keys()] })
    .setFields({ log: { transactionHash: true, topics: true, data: true }, block: { timestamp: true } });
  const since = performance.now();
  process.on("exit", () => {
    const milliseconds = performance.now() - since;
    const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
    process.stdout.write(`\n${JSON.stringify({ milliseconds, peakMib })}\n`);
  });
  processor.run(new TypeormDatabase({ supportHotBlocks: false }), async (ctx) => {
    const rows = new Map();
    for (const block of ctx.blocks) {
      for (const log of block.logs) {
        const table = byTopic.get(log.topics[0]);
        const list = rows.get(table.table) ?? [];
        if (list.length === 0) rows.set(table.table, list);
        list.push(rowOf(block, log, table));
      }
    }
    for (const list of rows.values()) await ctx.store.insert(list);
  });
}

function rowOf({ header }, log, { table, columns, event }) {
  const args = event.decode(log);
  const row = {
    id: log.id,
    block_number: header.height,
    block_hash: header.hash,
    block_time: new Date(header.timestamp),
    tx_hash: log.transactionHash,
    log_index: log.logIndex,
  };
  for (const { name, argument, names } of columns) {
    row[name] = names === undefined ? args[argument] : names[args[argument]];
  }
  return new model[table](row);
}

function eventOf({ topic, signature, columns }) {
  const fields = columns.map(({ argument, abiType, indexed }) => {
    const type = codec[abiType];
    return [argument, indexed ? abi.indexed(type) : type];
  });
  return abi.event(topic, signature, Object.fromEntries(fields));
}
