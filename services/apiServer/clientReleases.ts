import { join } from "node:path";
import { InputError } from "@ngpu/runtime/errors";
import express, { type Router } from "express";

const scripts = ["install_mcNode.sh", "install_measure.sh"];

/**
 * Serves what operators install: the install scripts, and the node client's archives and manifest below `/client`.
 *
 * @param folder Output of `npm run client:release`; undefined when this market serves no client.
 */
export function clientReleases(folder: string | undefined): Router {
  const router = express.Router();
  if (folder === undefined) {
    router.get([...scripts.map((name) => `/${name}`), "/client", "/client/*path"], () => {
      throw new InputError("This market does not serve the node client.", {
        code: "client_release_not_found",
        status: 404,
        hint: "Write a release with npm run client:release and set CLIENT_RELEASES of apiServer to its directory.",
      });
    });
    return router;
  }
  for (const name of scripts) {
    router.get(`/${name}`, (_request, response, next) => {
      // Plain text, so that a browser displays the script.
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
  return new InputError(`The node client's releases have no file ${path}.`, {
    code: "client_file_not_found",
    status: 404,
    hint: "GET /client/manifest.json lists the files.",
  });
}
