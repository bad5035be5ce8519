/** Opens and closes connections as fast as it goes, eight at a time: `ask PORT ADDRESS SECONDS` prints how many a second; `serve PORT` takes them. */
import { connect, createServer } from 'node:net';

const AT_ONCE = 8;
const [role, port, address, seconds] = process.argv.slice(2);

if (role === 'serve') {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end();
    socket.resume();
  });
  server.listen(Number(port), '::', 1024, () => process.stdout.write('listening\n'));
} else {
  let count = 0;
  const started = performance.now();
  const isOver = () => performance.now() - started > Number(seconds) * 1000;
  const one = () =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), address);
      socket.on('error', reject);
      socket.on('close', resolve);
      socket.on('end', () => socket.resetAndDestroy());
      socket.resume();
    });
  const many = async () => {
    while (!isOver()) {
      await one();
      count++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, many));
  process.stdout.write(String(count / ((performance.now() - started) / 1000)));
}
