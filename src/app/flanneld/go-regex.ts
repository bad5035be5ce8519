/**
 * Regular expressions of Go (RE2, pkg.go.dev/regexp/syntax) for JavaScript: the same but for a few spellings, which are translated, and a
 * few that JavaScript has no equal for, which are refused. What only JavaScript knows (look-around, references) is refused too, since
 * flanneld would not take it.
 */

/** Inside brackets. */
const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** The expression, or why there is none. */
export function compileGoRegex(text: string): RegExp | string {
  const refused = /\(\?(?:=|!|<[=!])|\\[1-9]|\\k</.exec(withoutClasses(text));
  if (refused !== null) return `Go’s expressions have no "${refused[0]}"`;
  const leading = /^\(\?([ims]+)\)/.exec(text);
  const flags = leading?.[1] ?? '';
  const body = text.slice(leading?.[0].length ?? 0);
  const unknown = /\(\?[a-zA-Z]*U|\\[QECpP]/.exec(body);
  if (unknown !== null) return `"${unknown[0]}" is not supported`;
  try {
    return new RegExp(translate(body), flags);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function translate(body: string): string {
  return body
    .replaceAll(/\[:(\^?)([a-z]+):\]/g, (whole, inverted: string, name: string) => {
      const members = POSIX_CLASSES[name];
      if (members === undefined || inverted !== '') throw new SyntaxError(`"${whole}" is not supported`);
      return members;
    })
    .replaceAll(/\\([Az])/g, (_whole, letter: string) => (letter === 'A' ? '(?<![^])' : '(?![^])'))
    .replaceAll('(?P<', '(?<');
}

/** Without what stands in brackets, where all signs are plain. */
function withoutClasses(text: string): string {
  return text.replaceAll(/\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]/g, '[]');
}
