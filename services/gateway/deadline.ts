import type { ClientHttp2Stream } from "node:http2";

/** One rule for plain and streamed responses. */
export type Timeouts = {
  /** Milliseconds without a byte in either direction, before and after the response has begun. */
  progress: number;
  /** Milliseconds from the request to the end of its response. */
  total: number;
};

/** What a caller gets that sets nothing. A node that fails meanwhile is detected by pings. */
export const defaultTimeouts: Timeouts = {
  /** @deadline A byte of a container or of its client, unless the caller sets it. The request ends with `replica_timeout`, or is cut. */
  progress: 600_000,
  /** @deadline The end of a container's response, unless the caller sets it. The request ends with `replica_timeout`, or is cut. */
  total: 14_400_000,
};

/** The most a caller may set. */
export const longestTimeouts: Timeouts = { progress: 3_600_000, total: 14_400_000 };

export type Deadline = {
  /** Which deadline has passed. */
  readonly passed: string | undefined;
  stop: () => void;
};

/** Destroys the stream when a deadline passes. */
export function startDeadline(stream: ClientHttp2Stream, { progress, total }: Timeouts): Deadline {
  const state: { passed: string | undefined } = { passed: undefined };
  const end = (passed: string) => {
    state.passed ??= passed;
    stream.destroy(new Error(passed));
  };
  const timer = setTimeout(() => end(`no end within ${total} ms`), total);
  stream.setTimeout(progress, () => end(`no byte for ${progress} ms`));
  return {
    get passed() {
      return state.passed;
    },
    stop: () => {
      clearTimeout(timer);
      stream.setTimeout(0);
    },
  };
}

/** The deadlines in a request's headers, in seconds, within the longest ones. */
export function timeoutsIn(
  headers: Record<string, string | string[] | undefined>,
  given: Timeouts = defaultTimeouts,
): Timeouts {
  const of = (name: string, usual: number, longest: number) => {
    const seconds = Number(headers[name] ?? Number.NaN);
    return seconds >= 1 ? Math.min(seconds * 1000, longest) : usual;
  };
  return {
    progress: of("x-ngpu-timeout", given.progress, longestTimeouts.progress),
    total: of("x-ngpu-total-timeout", given.total, longestTimeouts.total),
  };
}
