import { useRef, useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";

type Message = { role: "user" | "assistant"; content: string };

/** Chats with the workspace over the API that its partner's programs use. The answer appears as it is generated. */
export function Chat({ id }: { id: string }) {
  const t = useText();
  const { api } = useSession();
  const [messages, setMessages] = useState<Message[]>([]);
  const [text, setText] = useState("");
  const [error, setError] = useState<unknown>();
  const [abort, setAbort] = useState<AbortController>();
  const input = useRef<HTMLTextAreaElement>(null);
  const ask = async () => {
    const asked: Message[] = [...messages, { role: "user", content: text.trim() }];
    const running = new AbortController();
    setText("");
    setError(undefined);
    setAbort(running);
    let answer = "";
    setMessages([...asked, { role: "assistant", content: answer }]);
    try {
      const body = { model: `ws-${id}`, stream: true, messages: asked };
      for await (const { data } of api.stream(
        "POST /v1/chat/completions",
        { body },
        { signal: running.signal },
      )) {
        answer += pieceOf(data);
        setMessages([...asked, { role: "assistant", content: answer }]);
      }
    } catch (cause) {
      if (!running.signal.aborted) setError(cause);
    } finally {
      setAbort(undefined);
      input.current?.focus();
    }
  };
  return (
    <div className="stack">
      <div className="messages" aria-live="polite">
        {messages.length === 0 ? <p className="muted">{t("chat.lead")}</p> : null}
        {messages.map((message, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: messages are only appended.
          <div className="message" key={index}>
            <div className="who">{t(`chat.${message.role}`)}</div>
            {message.content === "" && abort !== undefined ? "…" : message.content}
          </div>
        ))}
      </div>
      {error === undefined ? null : <ErrorNotice error={error} />}
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") ask();
        }}
      >
        <Field label={t("chat.label")} help={t("chat.help", { model: `ws-${id}` })}>
          {(control) => (
            <textarea
              {...control}
              ref={input}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
                event.preventDefault();
                event.currentTarget.form?.requestSubmit();
              }}
            />
          )}
        </Field>
        <div className="row">
          <Button kind="primary" type="submit" disabled={abort !== undefined || text.trim() === ""}>
            {t("chat.send")}
          </Button>
          {abort === undefined ? null : <Button onClick={() => abort.abort()}>{t("chat.stop")}</Button>}
        </div>
      </form>
    </div>
  );
}

/** The text that one event of an OpenAI-compatible stream adds. */
function pieceOf(data: string): string {
  if (data === "[DONE]") return "";
  const { choices } = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
  return choices?.[0]?.delta?.content ?? "";
}
