/** Hop-by-hop headers, and headers that each hop sets itself. Neither end of a tunnel forwards them. */
export const hopHeaders: readonly string[] = [
  "connection",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
