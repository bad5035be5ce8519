/**
 * Calico's selector language, evaluated while it is read: there is no tree. Written from the comments on `selector` in
 * projectcalico.org/v3 and from its documentation, https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selectors
 */
import type { Labels } from './labels.ts';

const TOKEN =
  /\s*(&&|\|\||==|!=|!|\(|\)|\{|\}|,|"[^"]*"|'[^']*'|not\s+in\b|starts\s+with\b|ends\s+with\b|[A-Za-z0-9_./-]+)/y;

/** Whether labels meet an expression. Throws for what does not parse, so that no test runs on a mistake of its own. */
export function meets(expression: string, labels: Labels): boolean {
  const tokens = split(expression);
  if (tokens.length === 0) return true;
  let at = 0;
  const next = (): string => tokens[at++] ?? '';
  const expect = (wanted: string): void => {
    if (next() !== wanted) throw new Error(`${expression}: ${wanted} expected at token ${at}`);
  };

  function either(): boolean {
    let holds = both();
    while (tokens[at] === '||') {
      at++;
      const right = both();
      holds = holds || right;
    }
    return holds;
  }
  function both(): boolean {
    let holds = single();
    while (tokens[at] === '&&') {
      at++;
      const right = single();
      holds = holds && right;
    }
    return holds;
  }
  function single(): boolean {
    const token = next();
    if (token === '!') return !single();
    if (token === '(') {
      const holds = either();
      expect(')');
      return holds;
    }
    if (['has', 'all', 'global'].includes(token) && tokens[at] === '(') return call(token);
    return comparison(token);
  }
  function call(name: string): boolean {
    expect('(');
    const key = name === 'has' ? next() : '';
    expect(')');
    return name === 'has' ? labels[key] !== undefined : name === 'all';
  }
  function comparison(key: string): boolean {
    const operator = next().replace(/\s+/g, ' ');
    const value = labels[key];
    if (operator === 'in') return words().includes(value ?? '\0');
    if (operator === 'not in') return !words().includes(value ?? '\0');
    const word = unquoted(next());
    switch (operator) {
      case '==':
        return value === word;
      case '!=':
        return value !== word;
      case 'contains':
        return value?.includes(word) ?? false;
      case 'starts with':
        return value?.startsWith(word) ?? false;
      case 'ends with':
        return value?.endsWith(word) ?? false;
      default:
        throw new Error(`${expression}: unknown operator ${operator}`);
    }
  }
  function words(): string[] {
    const list: string[] = [];
    expect('{');
    while (tokens[at] !== '}') {
      list.push(unquoted(next()));
      if (tokens[at] === ',') at++;
    }
    expect('}');
    return list;
  }

  const holds = either();
  if (at !== tokens.length) throw new Error(`${expression}: something is left at token ${at}`);
  return holds;
}

function split(expression: string): string[] {
  const tokens: string[] = [];
  const text = expression.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) throw new Error(`${expression}: cannot be read from position ${from}`);
    tokens.push(found[1] as string);
  }
  return tokens;
}

function unquoted(token: string): string {
  if (!/^(".*"|'.*')$/.test(token)) throw new Error(`a string in quotes was expected, not ${token}`);
  return token.slice(1, -1);
}
