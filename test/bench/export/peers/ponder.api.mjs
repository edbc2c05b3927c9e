// Copied to src/api/index.ts, which ponder requires.
import { Hono } from "hono";

export default new Hono();
