import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { type Format, formatIn } from "../format.ts";
import type { Language } from "../i18n/language.ts";
import { fill, loadMessages } from "../i18n/messages.ts";
import type { MessageKey, Messages, Values } from "../i18n/types.ts";
import { readStored, store } from "./stored.ts";

export type Theme = "light" | "dark";
type Settings = {
  language: Language;
  setLanguage: (language: Language) => void;
  theme: Theme;
  setTheme: (theme: Theme) => void;
  t: (key: MessageKey, values?: Values) => string;
  format: Format;
};

const SettingsContext = createContext<Settings | undefined>(undefined);

export function SettingsProvider(given: {
  initial: { language: Language; messages: Messages };
  children: ReactNode;
}) {
  const [texts, setTexts] = useState(given.initial);
  const [theme, setTheme] = useState(readTheme);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    document.documentElement.lang = texts.language === "zh" ? "zh-CN" : "en";
  }, [texts.language]);
  const settings = useMemo<Settings>(
    () => ({
      language: texts.language,
      setLanguage: async (language) => {
        setTexts({ language, messages: await loadMessages(language) });
        store("language", language);
      },
      theme,
      setTheme: (chosen) => {
        setTheme(chosen);
        store("theme", chosen);
      },
      t: (key, values) => fill(texts.messages[key], values),
      format: formatIn(texts.language === "zh" ? "zh-CN" : "en"),
    }),
    [texts, theme],
  );
  return <SettingsContext value={settings}>{given.children}</SettingsContext>;
}

export function useSettings(): Settings {
  const settings = useContext(SettingsContext);
  if (settings === undefined) throw new Error("useSettings is used outside of SettingsProvider.");
  return settings;
}

/** The function that returns texts, which most components need alone. */
export const useText = () => useSettings().t;

function readTheme(): Theme {
  const chosen = readStored("theme");
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
