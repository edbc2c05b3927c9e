import type { ErrorCode } from "./errorCodes.ts";

/** Codes without a meaning, meanings without a code, and meanings that two codes share, one line each. */
export function meaningProblems(
  found: readonly Pick<ErrorCode, "code" | "position">[],
  meanings: Readonly<Record<string, string>>,
): string[] {
  const thrown = new Set(found.map(({ code }) => code));
  const codesOf = Map.groupBy(Object.keys(meanings), (code) => meanings[code]);
  return [
    ...found
      .filter(({ code }) => !Object.hasOwn(meanings, code))
      .map(
        ({ code, position }) =>
          `${position}: scripts/reference/errorMeanings.ts does not say what ${code} means`,
      ),
    ...Object.keys(meanings)
      .filter((code) => !thrown.has(code))
      .map((code) => `scripts/reference/errorMeanings.ts: no error has the code ${code}`),
    ...[...codesOf.values()]
      .filter((codes) => codes.length > 1)
      .map((codes) => `scripts/reference/errorMeanings.ts: ${codes.join(" and ")} have the same meaning`),
  ];
}
