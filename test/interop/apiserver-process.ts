/** The API server in a process of its own, so that a test can kill it: prints its URL and serves until it dies. */
import { startApiServer } from '#app/apiserver/index.ts';

const [databasePath = '', historyLimit = '10000'] = process.argv.slice(2);
const { url } = await startApiServer({
  host: '127.0.0.1',
  port: 0,
  databasePath,
  historyLimit: Number(historyLimit),
});
process.stdout.write(`${url}\n`);
