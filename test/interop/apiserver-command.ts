/** The `apiserver` command as a program of its own. */
import { apiServerCommand } from '#app/apiserver/index.ts';

await apiServerCommand().parseAsync(process.argv);
