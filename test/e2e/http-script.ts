/**
 * One request to an API server, for `node --input-type=module -e`: run in a process of its own, since only in another namespace its address is
 * known. Arguments: method, URL, token, and a body if there is one. Prints the answer; fails if it is no success.
 */
export const HTTP_SCRIPT = `
const [method, url, token, body] = process.argv.slice(1);
const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json' };
const response = await fetch(url, { method, headers, ...(body && { body }) });
process.stdout.write(await response.text());
process.exitCode = response.ok ? 0 : 1;`;
