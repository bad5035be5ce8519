/**
 * Connections that are opened and closed as fast as it goes, eight at a time. `serve PORT` takes them. `ask PORT ADDRESS` opens them for so
 * many milliseconds as each line of its input says, and answers with a line: how many a second.
 */
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const AT_ONCE = 8;
const [role, port, address] = process.argv.slice(2);

if (role === 'serve') {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end();
    socket.resume();
  });
  server.listen(Number(port), '::', 1024, () => process.stdout.write('listening\n'));
} else {
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(`${await perSecond(Number(line))}\n`);
}

async function perSecond(durationMs) {
  let count = 0;
  const started = performance.now();
  const many = async () => {
    while (performance.now() - started < durationMs) {
      await one();
      count++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, many));
  return (count * 1000) / (performance.now() - started);
}

function one() {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), address);
    socket.on('error', reject);
    socket.on('close', resolve);
    socket.on('end', () => socket.resetAndDestroy());
    socket.resume();
  });
}
