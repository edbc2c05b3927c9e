/** Aborts when nothing has arrived for a time. */
export function watchSilence(milliseconds: number) {
  const controller = new AbortController();
  const expire = () => controller.abort(new Error(`nothing has arrived for ${milliseconds / 1000} s`));
  let timer = setTimeout(expire, milliseconds);
  return {
    signal: controller.signal,
    async *through(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of body) {
        // The time that the reader takes does not count.
        clearTimeout(timer);
        yield chunk;
        timer = setTimeout(expire, milliseconds);
      }
    },
    stop: () => clearTimeout(timer),
  };
}
