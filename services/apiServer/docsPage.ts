import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import express, { type Router } from "express";
import helmet from "helmet";

const page = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>ngpu partner API</title>
  <link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
  <div id="api"></div>
  <script src="/docs/assets/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
`;

const script = `window.ui = SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true });
`;

/** Serves the API documentation with all of its assets. */
export function docsRouter(): Router {
  const found = fileURLToPath(import.meta.resolve("swagger-ui-dist/package.json"));
  const router = express.Router();
  router.use(
    helmet.contentSecurityPolicy({
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        // Swagger UI sets inline styles and data: images.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", "data:"],
        // The page must also work when the API is served without TLS.
        upgradeInsecureRequests: null,
      },
    }),
  );
  router.get("/", (_request, response) => {
    response.type("html").send(page);
  });
  router.get("/start.js", (_request, response) => {
    response.type("js").send(script);
  });
  router.use("/assets", express.static(dirname(found), { index: false, maxAge: "1h" }));
  return router;
}
