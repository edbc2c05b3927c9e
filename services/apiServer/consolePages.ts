import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import express, { type Request, type RequestHandler, type Response, type Router } from "express";
import helmet from "helmet";

const compress = promisify(gzip);
const year = 31_536_000;
/** Paths that are not pages: an unknown one is a problem of the API, or a file that does not exist. */
const notPages = /^\/(v1|docs|assets|client|healthz|openapi\.json|install_\w+\.sh)(\/|$)/;

type File = { body: Buffer; gzipped: Buffer };

/**
 * Serves the built console: its files below `/assets`, whose names contain their hash, and its page at every other path
 * that a browser asks for. A client that asks for JSON gets the API's answer.
 *
 * @param folder Output of `npm run build:console`.
 * @param rpcUrls The endpoints that the page may ask to verify what the API says.
 */
export function consolePages(folder: string, rpcUrls: readonly string[]): Router {
  const router = express.Router();
  const fileAt = createFiles(folder);
  router.get(/^\/assets\/[\w.-]+$/, async (request, response, next) => {
    const file = await fileAt(request.path.slice(1));
    if (file === undefined) return next();
    response.setHeader("cache-control", `public, max-age=${year}, immutable`);
    send(request, response, file, extname(request.path));
  });
  const csp = contentSecurityPolicy(rpcUrls);
  router.use(async (request, response, next) => {
    if (!isPage(request)) return next();
    const file = await fileAt("index.html");
    if (file === undefined) return next();
    csp(request, response, () => {
      response.setHeader("cache-control", "no-cache");
      response.vary("accept");
      send(request, response, file, "html");
    });
  });
  return router;
}

function isPage(request: Request): boolean {
  if ((request.method !== "GET" && request.method !== "HEAD") || notPages.test(request.path)) return false;
  // A client that accepts everything is not a browser.
  return request.accepts(["json", "html"]) === "html";
}

/** Only files of this server run in the page, and it connects only to this server and to the chain. */
function contentSecurityPolicy(rpcUrls: readonly string[]): RequestHandler {
  const origins = rpcUrls.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin);
  return helmet.contentSecurityPolicy({
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", "data:"],
      connectSrc: ["'self'", ...new Set(origins)],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  });
}

/** Reads each file once and keeps it, also compressed: the console has few and small ones. */
function createFiles(folder: string): (path: string) => Promise<File | undefined> {
  const known = new Map<string, Promise<File | undefined>>();
  return (path) => {
    const file = known.get(path) ?? readCompressed(join(folder, path));
    known.set(path, file);
    // Names that do not exist are not kept: a stranger chooses them.
    file.then((found) => found ?? known.delete(path));
    return file;
  };
}

async function readCompressed(path: string): Promise<File | undefined> {
  try {
    const body = await readFile(path);
    return { body, gzipped: await compress(body, { level: 9 }) };
  } catch {
    // The caller answers that there is no such file.
    return undefined;
  }
}

function send(request: Request, response: Response, { body, gzipped }: File, type: string): void {
  response.vary("accept-encoding");
  response.type(type);
  if (request.acceptsEncodings("gzip") === false) {
    response.send(body);
    return;
  }
  response.setHeader("content-encoding", "gzip");
  response.send(gzipped);
}
