// Copied to src/api/index.ts, which ponder wants.
import { Hono } from "hono";

export default new Hono();
