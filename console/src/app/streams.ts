/** Safari reads streams by `getReader` alone; the API client iterates over them. */
if (!(Symbol.asyncIterator in ReadableStream.prototype)) {
  Object.assign(ReadableStream.prototype, {
    async *[Symbol.asyncIterator](this: ReadableStream<unknown>) {
      const reader = this.getReader();
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          yield value;
        }
      } finally {
        await reader.cancel().catch(() => undefined);
      }
    },
  });
}
