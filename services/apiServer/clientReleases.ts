import { join } from "node:path";
import { InputError } from "@ngpu/runtime/errors";
import express, { type Router } from "express";

const scripts = ["install_mcNode.sh", "install_measure.sh"];

/**
 * What operators install: the install scripts as text, and the node client's archives below `/client` with their manifest.
 *
 * @param folder What `npm run client:release` wrote; undefined when this market serves none.
 */
export function clientReleases(folder: string | undefined): Router {
  const router = express.Router();
  if (folder === undefined) {
    router.get([...scripts.map((name) => `/${name}`), "/client", "/client/*path"], () => {
      throw new InputError("This market does not serve the node client.", {
        code: "client_not_served",
        status: 404,
        hint: "Write a release with npm run client:release and set CLIENT_RELEASES of apiServer to its folder.",
      });
    });
    return router;
  }
  for (const name of scripts) {
    router.get(`/${name}`, (_request, response, next) => {
      // As text, so that a browser shows what is about to be run.
      response.sendFile(
        name,
        { root: folder, headers: { "content-type": "text/plain; charset=utf-8" } },
        (error) => {
          if (error !== undefined && !response.headersSent) next(unknownFile(name));
        },
      );
    });
  }
  router.use("/client", express.static(join(folder, "client"), { index: false, redirect: false }));
  router.get("/client/*path", (request) => {
    throw unknownFile(request.path.slice(1));
  });
  return router;
}

function unknownFile(path: string): InputError {
  return new InputError(`There is no file ${path} among the node client's releases.`, {
    code: "client_file_unknown",
    status: 404,
    hint: "GET /client/manifest.json names the files there are.",
  });
}
