/**
 * One end of a TCP connection that carries numbers: `send PORT ADDRESS` writes one every 2 ms with the time it was written;
 * `receive PORT` checks their order and prints what it saw, one JSON line every 100 ms and at the end.
 */
import { connect, createServer } from 'node:net';

const RECORD_BYTES = 16;
const [mode, port, address] = process.argv.slice(2);

if (mode === 'receive') receive(Number(port));
else send(Number(port), address as string);

function receive(listenPort: number): void {
  let [received, disorder, slowestMs] = [0, 0, 0];
  const print = () => process.stdout.write(`${JSON.stringify({ received, disorder, slowestMs })}\n`);
  const server = createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      const now = process.hrtime.bigint();
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= RECORD_BYTES; rest = rest.subarray(RECORD_BYTES)) {
        if (rest.readBigUInt64BE(0) !== BigInt(received)) disorder++;
        received++;
        slowestMs = Math.max(slowestMs, Number(now - rest.readBigUInt64BE(8)) / 1e6);
      }
    });
    socket.on('error', () => {
      disorder++;
    });
    socket.on('close', () => {
      clearInterval(timer);
      print();
      server.close();
    });
  });
  const timer = setInterval(print, 100);
  server.listen(listenPort, '::');
}

function send(targetPort: number, target: string): void {
  const socket = connect({ host: target, port: targetPort, noDelay: true });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') setTimeout(() => send(targetPort, target), 20);
  });
  socket.on('connect', () => {
    let number = 0n;
    const timer = setInterval(() => {
      const record = Buffer.alloc(RECORD_BYTES);
      record.writeBigUInt64BE(number++, 0);
      record.writeBigUInt64BE(process.hrtime.bigint(), 8);
      socket.write(record);
    }, 2);
    process.once('SIGTERM', () => {
      clearInterval(timer);
      socket.end();
    });
  });
}
