import { useQuery } from "@tanstack/react-query";
import { Link, useLocation, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import type { ManualPart, ManualSection } from "../../../build/manual.ts";
import { useSettings } from "../../app/settings.tsx";
import { Loaded } from "../../ui/notices.tsx";
import { Code, Page } from "../../ui/page.tsx";
import { CopyButton } from "../../ui/secret.tsx";
import { isChapter, readChapter } from "./manual.ts";

/** A chapter: its tasks, each with its commands and the expected result. */
export function ChapterPage() {
  const { t, language } = useSettings();
  const { chapter } = useParams({ from: "/manual/$chapter" });
  const page = useQuery({
    queryKey: ["manual", language, chapter],
    queryFn: async () => {
      if (!isChapter(chapter)) throw new Error(t("notFound.title"));
      return readChapter(language, chapter);
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Page
      title={page.data?.title ?? t("manual.title")}
      actions={<Link to="/manual">{t("manual.title")}</Link>}
    >
      <Loaded query={page}>{({ sections }) => <Sections sections={sections} />}</Loaded>
    </Page>
  );
}

function Sections({ sections }: { sections: ManualSection[] }) {
  const { hash } = useLocation();
  // The section of the address exists once the chapter is loaded.
  useEffect(() => document.getElementById(decodeURIComponent(hash))?.scrollIntoView(), [hash]);
  return (
    <article className="manual">
      {sections.map(({ id, title, parts }) => (
        <section key={id} id={id === "" ? undefined : id} aria-label={title === "" ? undefined : title}>
          {title === "" ? null : <h2>{title}</h2>}
          {parts.map((part, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a chapter never change.
            <Part key={index} part={part} />
          ))}
        </section>
      ))}
    </article>
  );
}

function Part({ part }: { part: ManualPart }) {
  if (part.kind === "commands") {
    return (
      <div className="commands">
        <Code>{part.text}</Code>
        <CopyButton text={part.text} />
      </div>
    );
  }
  if (part.kind === "output") return <Code detail>{part.text}</Code>;
  // biome-ignore lint/security/noDangerouslySetInnerHtml: it was made from the repository's own pages at build time.
  return <div dangerouslySetInnerHTML={{ __html: part.html }} />;
}
