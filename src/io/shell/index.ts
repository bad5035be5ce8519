export { runShell, ShellError, type ShellInput } from './shell.ts';
