// @ts-check
/**
 * Runs one outside command for setup: silent while it is quick, a line on standard error once it takes over a second, and
 * everything it said when it fails.
 */
import { spawn } from 'node:child_process';

const ANNOUNCE_AFTER_MS = 1_000;
const REMIND_EVERY_MS = 15_000;
const EXCERPT_LINES = 12;

/** A step that cannot go on; the message says what to do next and is all the user needs to see. */
export class SetupError extends Error {}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/**
 * @typedef {object} CommandResult
 * @property {number | null} code exit code, null if it could not start or died by a signal
 * @property {string} output standard output and error together
 * @property {string} stdout
 */

/**
 * Runs a command to its end; never throws for its failure.
 * @param {string} label what the user reads while waiting
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<CommandResult>}
 */
export function run(label, command, args, options = {}) {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  let announced = false;
  const announce = setTimeout(() => {
    announced = true;
    say(`${label} …`);
  }, ANNOUNCE_AFTER_MS);
  const remind = setInterval(() => say(`${label}, still working after ${seconds()}`), REMIND_EVERY_MS);
  return new Promise((resolve) => {
    let output = '';
    let stdout = '';
    /** @param {number | null} code */
    const finish = (code) => {
      clearTimeout(announce);
      clearInterval(remind);
      if (announced && code === 0) say(`${label}: done in ${seconds()}`);
      resolve({ code, output, stdout });
    };
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => {
      output += error.message;
      finish(null);
    });
    child.on('close', finish);
  });
}

/**
 * The first and last lines of a command's output, indented: causes stand first, consequences last.
 * @param {string} output
 */
export function excerpt(output) {
  const lines = output.trim().split('\n');
  const shown =
    lines.length <= 2 * EXCERPT_LINES + 1
      ? lines
      : [...lines.slice(0, EXCERPT_LINES), '…', ...lines.slice(-EXCERPT_LINES)];
  return shown.map((line) => `  ${line}`).join('\n');
}
