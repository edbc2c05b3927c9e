import { createRequire } from "node:module";

// A plain proxy of @fastify/http-proxy. Its arguments: the folder of its packages, its port, and the port of the backend.
const [folder, port, target] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const app = require("fastify")({ logger: false });
app.register(require("@fastify/http-proxy"), { upstream: `http://127.0.0.1:${target}` });
await app.listen({ host: "127.0.0.1", port: Number(port) });
