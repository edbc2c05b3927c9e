/**
 * Idle times of kept connections, in milliseconds. A client closes an idle connection well before its server does, so no
 * request is sent on a connection that its server is closing. Services and clients of services use these two.
 */
export const idleTimes = {
  /** @deadline The next request on a kept connection of a service. The connection is closed. */
  server: 75_000,
  /** @deadline The next use of a kept connection to a service. The connection is closed. */
  client: 30_000,
};

/** Headers of one message between container and apiServer: bytes as HTTP/1.1 writes them, and fields. */
export const headerLimits = { bytes: 32 << 10, fields: 1_000 };

/** What a hop accepts: the limits, and room for the headers that hops add. */
export const acceptedHeaderBytes = 48 << 10;

/** The highest value of an option of HTTP/2. */
const unlimited = 2 ** 31 - 1;

/**
 * Options of both ends of a tunnel. HTTP/2 counts 32 bytes more for each field. A stream whose reader is slow holds at most
 * its window in memory, and holds up no other stream. Node limits a session's memory to 10 MB unless told otherwise, which
 * a thousand slow readers exceed.
 */
export const tunnelOptions = {
  maxHeaderListPairs: 2 * headerLimits.fields,
  maxSendHeaderBlockLength: 256 << 10,
  maxSessionMemory: 1_000,
  // A cancelled request resets its stream. By default HTTP/2 takes a thousand of them at once for an attack and ends the
  // session, and with it all other requests. Both ends of a tunnel know each other, and requests are limited before it.
  streamResetBurst: unlimited,
  streamResetRate: unlimited,
  maxSessionInvalidFrames: unlimited,
  maxSessionRejectedStreams: unlimited,
  settings: { initialWindowSize: 256 << 10, maxHeaderListSize: 256 << 10 },
};

/** Requests that a tunnel carries at once. */
export const tunnelStreams = 10_000;
