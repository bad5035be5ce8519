/** Names of links as systemd.network(5) and NetworkManager.conf(5) match them: shell patterns with `*`, `?` and sets in brackets. */

/** True if the pattern matches all of the name. */
export function covers(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/[*?]|\[!?[^\]]*\]|[^*?[]+|\[/g, (piece) => {
    if (piece === '*') return '.*';
    if (piece === '?') return '.';
    if (piece.startsWith('[') && piece.endsWith(']') && piece.length > 2)
      return piece.replace('[!', '[^').replaceAll('\\', '\\\\');
    return piece.replaceAll(/[\\^$.|+(){}[\]]/g, '\\$&');
  });
  return new RegExp(`^${source}$`).test(name);
}

/** True if the name is one of a list as systemd has it: behind a `!` the patterns are those of all other links. */
export function isListed(patterns: readonly string[], name: string): boolean {
  const [first = '', ...more] = patterns;
  if (first.startsWith('!')) return !isListed([first.slice(1), ...more], name);
  return patterns.some((pattern) => covers(pattern, name));
}
