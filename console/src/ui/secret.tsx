import { useState } from "react";
import { useText } from "../app/settings.tsx";
import { Button } from "./form.tsx";
import { Notice } from "./notices.tsx";

/** A secret that is shown once. */
export function Secret({ title, text }: { title: string; text: string }) {
  const t = useText();
  return (
    <Notice tone="good" title={title}>
      {t("secret.once")}
      <div className="row">
        <code className="secret">{text}</code>
        <CopyButton text={text} />
      </div>
    </Notice>
  );
}

export function CopyButton({ text }: { text: string }) {
  const t = useText();
  const [copied, setCopied] = useState(false);
  // Browsers offer the clipboard only to pages that were loaded over TLS or from this machine.
  if (navigator.clipboard === undefined) return null;
  return (
    <Button
      onClick={() =>
        navigator.clipboard.writeText(text).then(
          () => setCopied(true),
          () => setCopied(false),
        )
      }
    >
      {t(copied ? "copied" : "copy")}
    </Button>
  );
}
