export { bgpCommands } from './commands.ts';
export { parseSpeakerFile } from './speaker-file.ts';
