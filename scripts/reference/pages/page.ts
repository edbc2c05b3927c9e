import type { Project } from "../code/project.ts";

/** Input of the pages. */
export type Input = { rootDir: string; project: Project };

/** A page's text, and what could not be read, one line each. */
export type Page = { text: string; problems: string[] };

export type PageOf = (input: Input) => Page;
