/** The socket of a speaker that runs alone, for its user: questions and orders go to service/control.ts. */
import { createServer, type Server } from 'node:http';
import { onlyForOwnUser, SocketFile } from '#io/files/index.ts';
import { answerControl, type ControlHost } from '../service/control.ts';

export class ControlServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #file: SocketFile;

  private constructor(server: Server, file: SocketFile) {
    this.#server = server;
    this.#file = file;
  }

  /** Rejects with the system's error if the socket cannot be made. */
  static async listen(path: string, host: ControlHost): Promise<ControlServer> {
    const server = createServer((request, response) => answerControl(request, response, host));
    onlyForOwnUser(server);
    return new ControlServer(server, await SocketFile.listen(server, path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.remove();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
