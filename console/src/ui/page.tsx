import { type ReactNode, useEffect } from "react";

/** A page with its title, what it is about, and its actions. */
export function Page(given: { title: string; lead?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${given.title} · ngpu`;
  }, [given.title]);
  return (
    <>
      <header className="page-head">
        <div>
          <h1>{given.title}</h1>
          {given.lead === undefined ? null : <p className="lead">{given.lead}</p>}
        </div>
        {given.actions === undefined ? null : <div className="page-actions">{given.actions}</div>}
      </header>
      <div className="stack">{given.children}</div>
    </>
  );
}

export function Panel(given: { title?: string; note?: ReactNode; flush?: boolean; children: ReactNode }) {
  return (
    <section className="panel" aria-label={given.title}>
      {given.title === undefined ? null : (
        <div className="panel-head">
          <h2>{given.title}</h2>
          {given.note === undefined ? null : <span className="panel-note">{given.note}</span>}
        </div>
      )}
      <div className={given.flush === true ? "panel-body flush" : "panel-body"}>{given.children}</div>
    </section>
  );
}

/** Figures side by side. `of` says what each is a part of. */
export function Stats({ figures }: { figures: { name: string; value: ReactNode; of?: ReactNode }[] }) {
  return (
    <dl className="stats">
      {figures.map(({ name, value, of }) => (
        <div className="stat" key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          {of === undefined ? null : <dd className="of">{of}</dd>}
        </div>
      ))}
    </dl>
  );
}

/** Facts by name; those without a value are left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <FactRow key={name} name={name} value={value} />
        ))}
    </dl>
  );
}

function FactRow({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** Text as it is, which scrolls where it is too wide. */
export const Code = ({ detail, children }: { detail?: boolean; children: ReactNode }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls is scrolled by keys.
  <pre className={detail === true ? "code detail" : "code"} tabIndex={0}>
    {children}
  </pre>
);

export type Tone = "good" | "warn" | "bad" | "idle";

export const Badge = ({ tone, children }: { tone: Tone; children: ReactNode }) => (
  <span className={`badge ${tone}`}>{children}</span>
);

/** A part of a whole, drawn and in figures. */
export function Meter({ share, text }: { share: number; text: string }) {
  const width = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <span className="meter">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect className="track" width="100" height="6" rx="1" />
        <rect className="fill" width={width} height="6" rx="1" />
      </svg>
      <span>{text}</span>
    </span>
  );
}
