import type { Browser } from "playwright-core";
import type { ConsoleMarket } from "./market.ts";

/** One market and one browser, which all suites of the console use: both are costly to start. */
export type Shared = { market: ConsoleMarket; browser: Browser };
