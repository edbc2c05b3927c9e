import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useSettings } from "../../app/settings.tsx";
import { Field } from "../../ui/form.tsx";
import { Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { readChapter } from "./manual.ts";
import { chapters, search } from "./search.ts";

/** The chapters of the manual with their tasks, and a search over all of them. */
export function ManualPage() {
  const { t, language } = useSettings();
  const { q = "" } = useSearch({ from: "/manual" });
  const navigate = useNavigate();
  const manual = useQuery({
    queryKey: ["manual", language],
    queryFn: () =>
      Promise.all(chapters.map(async (chapter) => [chapter, await readChapter(language, chapter)] as const)),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const change = (text: string) =>
    void navigate({ to: "/manual", search: text === "" ? {} : { q: text }, replace: true });
  return (
    <Page title={t("manual.title")} lead={t("manual.lead")}>
      <search>
        <Field label={t("manual.search")} help={t("manual.search.help")}>
          {(control) => (
            <input {...control} type="search" value={q} onChange={({ target }) => change(target.value)} />
          )}
        </Field>
      </search>
      <Loaded query={manual}>
        {(data) =>
          q.trim() === "" ? (
            <div className="columns">
              {data.map(([chapter, { title, sections }]) => (
                <Panel key={chapter} title={title}>
                  <ul className="list">
                    {sections.map(({ id, title: task }) =>
                      id === "" ? null : (
                        <li key={id}>
                          <Link to="/manual/$chapter" params={{ chapter }} hash={id}>
                            {task}
                          </Link>
                        </li>
                      ),
                    )}
                  </ul>
                </Panel>
              ))}
            </div>
          ) : (
            <Results found={search(data, q)} />
          )
        }
      </Loaded>
    </Page>
  );
}

function Results({ found }: { found: ReturnType<typeof search> }) {
  const { t } = useSettings();
  return (
    <Panel title={t("manual.found", { count: String(found.length) })}>
      {found.length === 0 ? <p>{t("manual.none")}</p> : null}
      <ul className="list">
        {found.map(({ chapter, id, title, excerpt }) => (
          <li key={`${chapter} ${id}`}>
            <Link to="/manual/$chapter" params={{ chapter }} hash={id}>
              {title}
            </Link>
            <p className="muted">{excerpt}</p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
