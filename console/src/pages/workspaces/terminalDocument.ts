/**
 * The document as the terminal sees it. The terminal writes style elements and style attributes, which the page's policy forbids;
 * here the rules become a style sheet that the page adopts, and attributes are set as properties. Both are allowed.
 */
export function terminalDocument(sheets: CSSStyleSheet[]): Document {
  const createElement = (name: string): HTMLElement => {
    if (name === "style") return styleElement(sheets);
    const element = document.createElement(name);
    if (name === "span") setStylesAsProperties(element);
    return element;
  };
  return new Proxy(document, {
    get: (target, property) => {
      if (property === "createElement") return createElement;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Removes the sheets of a terminal that has gone. */
export function dropSheets(sheets: readonly CSSStyleSheet[]): void {
  document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => !sheets.includes(one));
}

/** An element whose text is the rules of an adopted style sheet. */
function styleElement(sheets: CSSStyleSheet[]): HTMLElement {
  const sheet = new CSSStyleSheet();
  sheets.push(sheet);
  document.adoptedStyleSheets.push(sheet);
  const element = document.createElement("span");
  element.hidden = true;
  Object.defineProperty(element, "textContent", { set: (rules: string) => sheet.replaceSync(rules) });
  return element;
}

function setStylesAsProperties(element: HTMLElement): void {
  const set = element.setAttribute.bind(element);
  element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else set(name, value);
  };
}
