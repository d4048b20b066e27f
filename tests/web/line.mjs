// A slow line between a browser and the server: a proxy that holds every byte back for half a round trip, lets no more
// through than the line carries, lets a connection be made only after one round trip, and counts.

import { connect, createServer } from 'node:net';

/**
 * @param {URL} to
 * @param {{bits?: number, trip?: number}} line  bits a second in each direction, all connections together; milliseconds there and back
 */
export async function slowLine(to, { bits = Infinity, trip = 0 } = {}) {
  const counted = { down: 0, up: 0, connections: 0 };
  /** One direction: when the line has carried what was put on it before. */
  const direction = (name) => {
    let free = 0;
    return (from, into) => {
      from.on('data', (bytes) => {
        counted[name] += bytes.length;
        const now = performance.now();
        free = Math.max(free, now) + (bytes.length * 8000) / bits;
        from.pause();
        // The next bytes are taken when these are on their way, so that nobody's buffer hides the line.
        setTimeout(() => from.resume(), free - now);
        setTimeout(() => into.writable && into.write(bytes), free - now + trip / 2);
      });
      from.on('end', () => setTimeout(() => into.end(), Math.max(0, free - performance.now()) + trip / 2 + 1));
      from.on('error', () => into.destroy());
      from.on('close', () => setTimeout(() => into.destroy(), trip + 1_000).unref());
    };
  };
  const down = direction('down');
  const up = direction('up');
  const server = createServer({ noDelay: true }, (near) => {
    counted.connections += 1;
    const far = connect({ host: to.hostname, port: Number(to.port), noDelay: true });
    setTimeout(() => up(near, far), trip);
    down(far, near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { counted, url: `https://localhost:${server.address().port}/`, close: () => server.close() };
}
