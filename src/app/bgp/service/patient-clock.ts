/** A clock for those who take silence for a failure. */
import type { Clock } from '#base/clock.ts';

/** What was due while this process was busy is due after what has come in meanwhile: packets that wait to be read are no silence. */
export function patient(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    setTimeout: (ms, callback) => {
      let waiting: NodeJS.Immediate | undefined;
      const timer = clock.setTimeout(ms, () => {
        waiting = setImmediate(callback);
      });
      return {
        [Symbol.dispose]: () => {
          timer[Symbol.dispose]();
          clearImmediate(waiting);
        },
      };
    },
  };
}
