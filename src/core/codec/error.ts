/** The one error a decoder may throw, whatever the bytes. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  /** The path of field names from the outermost declaration: `link.linkinfo.data.id`. */
  path: string;
  /** The byte, counted from the start of the outermost buffer, at which decoding stopped. */
  readonly offset: number;
  readonly reason: string;

  constructor(reason: string, offset: number, path = '') {
    super(reason);
    this.reason = reason;
    this.offset = offset;
    this.path = path;
    this.describe();
  }

  /** Puts the field the failing part lies in before the path. */
  within(field: string): this {
    this.path = this.path === '' ? field : `${field}.${this.path}`;
    this.describe();
    return this;
  }

  private describe(): void {
    this.message = `${this.path === '' ? '' : `${this.path}: `}${this.reason} (byte ${this.offset})`;
  }
}

export const isDecodeError = (error: unknown): error is DecodeError => error instanceof DecodeError;
