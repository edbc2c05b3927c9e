import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";

/** A program: forwards connections to the port in its argument. It sends its own port to its parent. */

const target = Number(process.argv[2]);
const server = createServer((near) => {
  const far = connect({ port: target, host: "127.0.0.1", noDelay: true });
  near.setNoDelay(true);
  near.on("error", () => far.destroy());
  far.on("error", () => near.destroy());
  near.on("close", () => far.destroy());
  far.on("close", () => near.destroy());
  near.pipe(far);
  far.pipe(near);
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
